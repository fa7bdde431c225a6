"""The tools that a client is offered: run code, reset, files, status; over any interpreter."""

import base64
import binascii
import mimetypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from codeloop.core.errors import CodeloopError
from codeloop.core.execution import ExecutionResult, Status, WorkFile
from codeloop.core.records import to_json
from codeloop.loop.prompts import result_text
from codeloop.server.refusals import RefusalError

Json = dict[str, Any]

_PICTURES = ("image/png", "image/jpeg")
_MOST_BYTES = 4 * 1024 * 1024  # of a file, since it goes through a message


class Interpreter(Protocol):
    """Where a client's code runs: one session with its files."""

    @property
    def languages(self) -> frozenset[str]: ...

    def run(self, code: str, language: str) -> ExecutionResult:
        """Run code to its end.

        Raises:
            SandboxError: the sandbox broke.
        """

    def reset(self) -> None: ...

    def list_files(self) -> Sequence[WorkFile]: ...

    def read(self, path: str) -> bytes: ...

    def write(self, path: str, data: bytes) -> None: ...

    def status(self) -> Json: ...

    def interrupt(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: what it is called, what it does and takes, and what does it."""

    name: str
    about: str
    takes: Mapping[str, Json]
    needs: tuple[str, ...]
    do: Callable[[Interpreter, Json], Json]
    reads_only: bool = False

    def told(self) -> Json:
        """Return the tool as a client is told of it."""
        schema = {
            "type": "object",
            "properties": dict(self.takes),
            "required": list(self.needs),
            "additionalProperties": False,
        }
        hints = {"readOnlyHint": self.reads_only, "openWorldHint": False}
        return {
            "name": self.name,
            "description": self.about,
            "inputSchema": schema,
            "annotations": hints,
        }


def call(interpreter: Interpreter, name: str, given: Json) -> Json | None:
    """Return what came of a call of a tool; None if there is no such tool.

    What goes wrong is told in the answer, so that a model can mend its call.
    """
    tool = next((each for each in TOOLS if each.name == name), None)
    if tool is None:
        return None
    if wrong := _wrong(tool, given):
        return _said(wrong, error=True)
    try:
        return tool.do(interpreter, given)
    except RefusalError as error:
        return _said(str(error.detail), error=True)
    except CodeloopError as error:
        return _said(str(error), error=True)


def _wrong(tool: Tool, given: Json) -> str:
    """Return what is wrong with what a tool is given; all that tools take are texts and flags."""
    kinds: dict[str, type] = {"string": str, "boolean": bool}
    for name in tool.needs:
        if name not in given:
            return f"{name} is missing"
    for name, value in given.items():
        if name not in tool.takes:
            return f"{tool.name} takes no {name}"
        if not isinstance(value, kinds[tool.takes[name]["type"]]):
            return f"{name} is to be a {tool.takes[name]['type']}"
    return ""


def _run(interpreter: Interpreter, given: Json) -> Json:
    language = given.get("language", "python")
    result = interpreter.run(given["code"], language)
    content = [_text(result_text(result, trimmed=False))]
    for display in result.displays:
        forms = dict(display.parts)
        held = next((mime for mime in _PICTURES if mime in forms), None)
        if held is not None:
            content.append(_picture(held, "".join(forms[held].split())))
    whole = to_json(result)
    facts = ("status", "exit_code", "error", "wall_s", "cpu_s", "peak_memory_bytes", "state_lost")
    told = {name: whole[name] for name in facts}
    told |= {"stdout": result.stdout.text, "stderr": result.stderr.text}
    told["isolation"] = result.isolation.value
    is_error = result.status is not Status.OK
    return {"content": content, "structuredContent": told, "isError": is_error}


def _reset(interpreter: Interpreter, _: Json) -> Json:
    interpreter.reset()
    return _said("The session is new: its variables are gone, files that were put there are back.")


def _list(interpreter: Interpreter, _: Json) -> Json:
    files = [
        {"path": _plain(each.path), "bytes": each.size_bytes, "changed_s": each.changed_s}
        for each in interpreter.list_files()
    ]
    lines = [f"{each['path']}  {each['bytes']} bytes" for each in files]
    said = "\n".join(lines) or "The work directory is empty."
    return {**_said(said), "structuredContent": {"files": files}}


def _plain(path: str) -> str:
    """Return a path as JSON can hold it."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _read(interpreter: Interpreter, given: Json) -> Json:
    path = given["path"]
    data = interpreter.read(path)
    if len(data) > _MOST_BYTES:
        return _said(f"{path}: longer than {_MOST_BYTES} bytes; read a part by code", error=True)
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    if kind in _PICTURES:
        return {"content": [_picture(kind, base64.b64encode(data).decode())], "isError": False}
    try:
        return _said(data.decode())
    except UnicodeDecodeError:
        held = {"uri": f"file:///work/{path}", "mimeType": kind}
        blob = {"type": "resource", "resource": {**held, "blob": base64.b64encode(data).decode()}}
        return {"content": [blob], "isError": False}


def _write(interpreter: Interpreter, given: Json) -> Json:
    data = given["content"].encode(errors="replace")
    if given.get("base64", False):
        try:
            data = base64.b64decode(given["content"], validate=True)
        except (binascii.Error, ValueError):
            return _said("content is not base64", error=True)
    interpreter.write(given["path"], data)
    return _said(f"{given['path']}: {len(data)} bytes")


def _status(interpreter: Interpreter, _: Json) -> Json:
    told = interpreter.status()
    lines = [f"{name}: {value}" for name, value in told.items()]
    return {**_said("\n".join(lines)), "structuredContent": told}


def _said(text: str, *, error: bool = False) -> Json:
    return {"content": [_text(text)], "isError": error}


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _picture(mime: str, data: str) -> Json:
    return {"type": "image", "data": data, "mimeType": mime}


_STRING, _FLAG = {"type": "string"}, {"type": "boolean"}
_PATH = {"type": "string", "description": "relative to the work directory"}

TOOLS: tuple[Tool, ...] = (
    Tool(
        "run_code",
        "Run code in a session in a jail without network, and return what it printed and showed. "
        "Python keeps its variables from call to call; the value of a last expression is shown. "
        "Other languages share its files and nothing else.",
        {"code": _STRING, "language": {"type": "string", "description": "default: python"}},
        ("code",),
        _run,
    ),
    Tool("reset", "Throw the session's variables away and start a new one.", {}, (), _reset),
    Tool("list_files", "List the files of the work directory.", {}, (), _list, reads_only=True),
    Tool(
        "read_file",
        "Return a file of the work directory: text as it is, pictures as pictures.",
        {"path": _PATH},
        ("path",),
        _read,
        reads_only=True,
    ),
    Tool(
        "write_file",
        "Put a file into the work directory.",
        {
            "path": _PATH,
            "content": _STRING,
            "base64": {**_FLAG, "description": "whether content is bytes in base64"},
        },
        ("path", "content"),
        _write,
    ),
    Tool(
        "status",
        "Tell how the session is isolated and limited, and which languages run in it.",
        {},
        (),
        _status,
        reads_only=True,
    ),
)
