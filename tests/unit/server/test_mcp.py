import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from fakes import failed, ok
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.errors import DataError
from codeloop.core.execution import ExecutionResult, WorkFile
from codeloop.server.mcp.protocol import answer, parse
from codeloop.server.mcp.streams import serve
from codeloop.server.mcp.tools import TOOLS, call


@dataclass
class FakeInterpreter:
    """Keeps files in memory, and gives the results that it was told to give."""

    results: list[ExecutionResult] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    resets: int = 0
    languages: frozenset[str] = frozenset({"python"})

    def run(self, code: str, language: str) -> ExecutionResult:
        return self.results.pop(0)

    def reset(self) -> None:
        self.resets += 1

    def list_files(self) -> Sequence[WorkFile]:
        return [WorkFile(path, len(data), 0.0) for path, data in self.files.items()]

    def read(self, path: str) -> bytes:
        if path not in self.files:
            msg = f"{path}: no such file"
            raise DataError(msg)
        return self.files[path]

    def write(self, path: str, data: bytes) -> None:
        self.files[path] = data

    def status(self) -> dict[str, Any]:
        return {"isolation": "namespaces"}

    def interrupt(self) -> None: ...


def request(method: str, number: object = 1, **params: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def spoken(interpreter: FakeInterpreter, *messages: object) -> list[dict[str, Any]]:
    lines = [
        each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n" for each in messages
    ]
    out = io.BytesIO()
    serve(interpreter, lines, out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_client_is_answered_in_its_revision_or_the_newest_that_is_known() -> None:
    for wanted, given_ in (("2025-03-26", "2025-03-26"), ("2099-01-01", "2025-11-25")):
        told = answer(request("initialize", protocolVersion=wanted), None)["result"]
        assert told["protocolVersion"] == given_
        assert told["serverInfo"]["name"] == "codeloop"


def test_calls_are_answered_in_order_and_notifications_are_not() -> None:
    interpreter = FakeInterpreter([ok("1\n"), failed("KeyError", "x")])
    said = spoken(
        interpreter,
        request("initialize", 0),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        request("tools/call", 1, name="run_code", arguments={"code": "a"}),
        request("tools/call", "two", name="run_code", arguments={"code": "b"}),
        b"\n",
    )
    assert [each["id"] for each in said] == [0, 1, "two"]
    assert said[1]["result"]["structuredContent"]["stdout"] == "1\n"
    assert [each["result"]["isError"] for each in said[1:]] == [False, True]
    assert "KeyError" in said[2]["result"]["content"][0]["text"]


def test_a_call_that_was_cancelled_before_it_ran_never_runs() -> None:
    interpreter = FakeInterpreter()
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}}
    later = request("tools/call", 5, name="run_code", arguments={"code": "a"})
    assert spoken(interpreter, cancel, later, request("ping", 6)) == [
        {"jsonrpc": "2.0", "id": 6, "result": {}}
    ]


def test_what_cannot_be_served_is_refused_with_its_code() -> None:
    said = spoken(
        FakeInterpreter(),
        b"{nonsense\n",
        b"[" * 5000 + b"\n",
        request("server/discover", 1),
        request("tools/call", 2, name="none"),
        request("tools/call", 3, name=7),
    )
    assert sorted((each["error"]["code"], str(each["id"])) for each in said) == [
        (-32700, "None"),
        (-32700, "None"),
        (-32602, "2"),
        (-32602, "3"),
        (-32601, "1"),
    ]


def test_files_are_written_read_and_listed() -> None:
    interpreter = FakeInterpreter()
    call(interpreter, "write_file", {"path": "a.bin", "content": "/wA=", "base64": True})
    assert interpreter.files == {"a.bin": b"\xff\x00"}
    call(interpreter, "write_file", {"path": "p.png", "content": "aGk=", "base64": True})
    call(interpreter, "write_file", {"path": "t.txt", "content": "ä"})
    kinds = [
        call(interpreter, "read_file", {"path": path})["content"][0]["type"]  # type: ignore[index]
        for path in ("a.bin", "p.png", "t.txt")
    ]
    assert kinds == ["resource", "image", "text"]
    listed = call(interpreter, "list_files", {})
    assert listed is not None
    assert [each["bytes"] for each in listed["structuredContent"]["files"]] == [2, 2, 2]


@pytest.mark.parametrize(
    ("tool", "given_", "said"),
    [
        ("run_code", {}, "code is missing"),
        ("run_code", {"code": 1}, "code is to be a string"),
        ("run_code", {"code": "x", "more": 1}, "run_code takes no more"),
        ("write_file", {"path": "a", "content": "?", "base64": True}, "content is not base64"),
        ("read_file", {"path": "none"}, "none: no such file"),
    ],
)
def test_a_wrong_call_is_told_to_the_model(tool: str, given_: dict[str, Any], said: str) -> None:
    told = call(FakeInterpreter(), tool, given_)
    assert told == {"content": [{"type": "text", "text": said}], "isError": True}


def test_each_tool_says_what_it_takes() -> None:
    for tool in TOOLS:
        schema = tool.told()["inputSchema"]
        assert set(schema["required"]) <= set(schema["properties"])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda each: (
        st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=9), each, max_size=3)
    ),
    max_leaves=8,
)
methods = st.sampled_from(["initialize", "ping", "tools/list", "tools/call", "x"])


@given(methods, json_values, json_values)
def test_whatever_is_asked_is_answered_or_refused(method: str, name: Any, params: Any) -> None:
    message = {"jsonrpc": "2.0", "id": name, "method": method, "params": params}
    said = answer(parse(json.dumps(message)), FakeInterpreter([ok()]))
    assert said["id"] == name
    assert ("result" in said) != ("error" in said)
