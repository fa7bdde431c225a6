"""Whatever a program sends below `/v1` and to `/mcp`, it is answered or refused, never a fault."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from page_server import StartPage

pytestmark = pytest.mark.jail

FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
words = st.sampled_from(
    [
        "scripted",
        "scripted+run",
        "user",
        "system",
        "tool",
        "text",
        "message",
        "code_interpreter",
        "code_interpreter_call",
        "auto",
        "none",
        "tools/call",
        "initialize",
        "run_code",
        "resp_x",
    ]
)
names = st.sampled_from(
    [
        "model",
        "messages",
        "role",
        "content",
        "type",
        "text",
        "input",
        "tools",
        "container",
        "n",
        "file_ids",
        "include",
        "instructions",
        "previous_response_id",
        "temperature",
        "stop",
        "seed",
        "max_tokens",
        "max_tool_calls",
        "store",
        "background",
        "tool_choice",
        "metadata",
        "outputs",
        "memory_limit",
        "network_policy",
        "name",
        "code",
        "logs",
        "jsonrpc",
        "id",
        "method",
        "params",
        "arguments",
        "requestId",
        "stream_options",
        "tool_calls",
        "file_id",
    ]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words | st.text()
values = st.recursive(
    leaves,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(names, each, max_size=5),
    max_leaves=12,
)
says = st.fixed_dictionaries(
    {
        "model": words,
        "messages": st.lists(st.fixed_dictionaries({"role": words, "content": values})),
    }
)
responds = st.fixed_dictionaries({"model": st.just("scripted"), "input": values, "tools": values})
bodies = st.dictionaries(names, values, max_size=6)
rpc = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "id": values, "method": words, "params": values}
)


@pytest.mark.parametrize("path", ["chat/completions", "responses", "containers", "files"])
def test_no_body_is_a_fault_of_ours(start: StartPage, path: str) -> None:
    client = start(replies=lambda _: "Hello.").client

    @FEW
    @given(st.one_of(says, responds, bodies), bodies)
    def holds(body: dict[str, Any], more: dict[str, Any]) -> None:
        answer = client.post(f"/v1/{path}", {**more, **body})
        assert answer.status < 500, (answer.body, body, more)

    holds()


def test_no_message_of_mcp_is_a_fault_of_ours(start: StartPage) -> None:
    client = start().client
    init = {"jsonrpc": "2.0", "id": 1, "method": "initialize"}
    session = client.post("/mcp", init).headers["mcp-session-id"]

    @FEW
    @given(st.one_of(rpc, bodies))
    def holds(message: dict[str, Any]) -> None:
        answer = client.post("/mcp", message, Mcp_Session_Id=session)
        assert answer.status < 500, (answer.body, message)

    holds()


@pytest.mark.parametrize("path", ["responses", "containers", "files", "models"])
def test_no_name_is_a_fault_of_ours(start: StartPage, path: str) -> None:
    client = start().client

    @FEW
    @given(st.text(st.characters(codec="ascii", exclude_characters=" \\#?%"), max_size=40))
    def holds(name: str) -> None:
        if not name.isprintable():
            return
        for method in ("GET", "DELETE"):
            assert client.ask(method, f"/v1/{path}/{name}").status < 500, name

    holds()
