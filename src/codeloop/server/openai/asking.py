"""What a request of Responses asks: its input as a dialogue so far, its tools, its first words."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codeloop.core import records
from codeloop.core.dialogue import Dialogue, Feedback, Message, Role, Source
from codeloop.core.execution import ExecutionResult, Output, Status
from codeloop.loop.prompts import text as prompt_text
from codeloop.server.openai.functions import Functions, returned_text
from codeloop.server.openai.history import History, content_text
from codeloop.server.openai.running import Said
from codeloop.server.openai.shelf import copied
from codeloop.server.refusals import RefusalError
from codeloop.server.store.store import Chat

INTERPRETER = "code_interpreter"
_FILES = frozenset({"input_file", "input_image"})
_DATA = re.compile(
    r"(?:data:(?:[a-z]+/(?P<ending>[a-z0-9]+)[^;,]{0,80})?(?:;[^,;]{0,80})*;base64,)?(?P<data>[A-Za-z0-9+/=]+)"
)
_TOOLS = frozenset({INTERPRETER, "function"})


def tools_of(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the tools of a request.

    Raises:
        RefusalError: they are no list of tools that there are here.
    """
    tools = body.get("tools")
    tools = [] if tools is None else tools
    if not isinstance(tools, list) or not all(isinstance(each, dict) for each in tools):
        raise RefusalError(400, "tools: a list of objects is wanted")
    others = [kind for each in tools if (kind := str(each.get("type"))) not in _TOOLS]
    if others:
        known = " and ".join(sorted(_TOOLS))
        raise RefusalError(400, f"tools: {others[0]} is not supported; there is {known}")
    return tools


def interpreter_of(
    tools: Sequence[Mapping[str, Any]], body: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Return the code interpreter among the tools, if it is there and may be used."""
    if body.get("tool_choice") == "none":
        return None
    return next((each for each in tools if each.get("type") == INTERPRETER), None)


@dataclass(frozen=True, slots=True)
class Attached:
    """A file or a picture in the input: its name and its bytes, or the name it is kept under."""

    name: str = ""
    data: bytes = b""
    file_id: str = ""


def without_files(given: Any) -> tuple[Any, list[Attached]]:
    """Return the input without its files and pictures, and those: they belong into a container.

    Raises:
        RefusalError: one is named by a URL, or is not whole.
    """
    if not isinstance(given, list):
        return given, []
    found: list[Attached] = []
    items = []
    for item in given:
        content = item.get("content") if isinstance(item, dict) else None
        if isinstance(content, list):
            files = [each for each in content if _is_file(each)]
            found += [_attached(each, len(found) + at) for at, each in enumerate(files, 1)]
            item = {**item, "content": [each for each in content if not _is_file(each)]}  # noqa: PLW2901
        items.append(item)
    return items, found


def _is_file(part: Any) -> bool:
    return isinstance(part, dict) and str(part.get("type")) in _FILES


def _attached(part: Mapping[str, Any], number: int) -> Attached:
    kept = part.get("file_id")
    if isinstance(kept, str):
        return Attached(file_id=kept)
    source = part.get("image_url" if part["type"] == "input_image" else "file_data")
    found = _DATA.fullmatch(source) if isinstance(source, str) else None
    if found is None:
        raise RefusalError(400, f"{part['type']}: a file_id, or a data URI, is wanted")
    try:
        data = base64.b64decode(found["data"], validate=True)
    except ValueError as error:
        raise RefusalError(400, f"{part['type']}: its data is no base64") from error
    name = part.get("filename") or f"picture-{number}.{found['ending'] or 'bin'}"
    return Attached(str(name), data)


def read_input(
    given: Any, known: Sequence[Said] = (), *, before: Chat | None = None
) -> tuple[History, list[Said]]:
    """Return what was said, and the items of the input as they are kept.

    `known` are items that came before them, or they answer the response `before`.

    Raises:
        RefusalError: it is no input.
    """
    if isinstance(given, str):
        given = [{"type": "message", "role": "user", "content": given}]
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise RefusalError(400, "input: a text, or a list of items, is wanted")
    history = History()
    earlier = before.settings["response"]["output"] if before is not None else ()
    calls = [each for each in (*earlier, *known, *given) if each.get("type") == "function_call"]
    names = {str(each.get("call_id")): f"`{each.get('name')}`" for each in calls}
    for item in known:
        _take(history, item, names)
    return history, [kept for item in given if (kept := _take(history, item, names)) is not None]


def _take(history: History, item: Mapping[str, Any], names: Mapping[str, str]) -> Said | None:
    """Go on by one item; return it as it is kept, if it is."""
    match item.get("type", "message"):
        case "message":
            said, role = content_text(item.get("content")), str(item.get("role"))
            history.take(role, said)
            kind = "output_text" if role == "assistant" else "input_text"
            content = [{"type": kind, "text": said}]
            return {"type": "message", "role": role, "content": content}
        case "code_interpreter_call":
            history.take_run(str(item.get("code") or ""), _given_result(item))
        case "function_call":
            history.take_call(str(item.get("name")), str(item.get("arguments") or ""))
        case "function_call_output":
            name = names.get(str(item.get("call_id")), "The function")
            history.take("user", returned_text(name, content_text(item.get("output"))))
        case "reasoning":
            return None
        case other:
            raise RefusalError(400, f"input: items of type {other} are not supported")
    return copied(item)  # type: ignore[no-any-return]


def _given_result(item: Mapping[str, Any]) -> ExecutionResult | None:
    outputs = item.get("outputs")
    if not isinstance(outputs, list):
        return None
    logs = "".join(str(each.get("logs", "")) for each in outputs if isinstance(each, dict))
    return ExecutionResult(Status.OK, Output(logs, len(logs.encode(errors="replace"))))


def begin(
    history: History,
    before: Chat | None,
    instructions: Any,
    *,
    functions: Functions,
    runs_code: bool,
) -> Dialogue:
    """Return the dialogue that the loop is to extend.

    Raises:
        RefusalError: nobody asks anything.
    """
    for words in (functions.text, content_text(instructions)):
        if words:
            history.opening.insert(0, Message(Role.SYSTEM, words))
    if before is None:
        return history.dialogue(runs_code=runs_code)
    system = [each.content for each in history.opening if each.role is Role.SYSTEM]
    asked = [each.content for each in history.opening if each.role is Role.USER]
    if history.turns or not asked:
        raise RefusalError(400, "input: after previous_response_id only the user speaks")
    dialogue = records.decode(before.settings["dialogue"])
    if runs_code:
        system.insert(0, prompt_text("system"))
    first = tuple(each for each in dialogue.opening if each.role is not Role.SYSTEM)
    if system:  # of this request alone: that of the one before does not go on
        first = (Message(Role.SYSTEM, "\n\n".join(system)), *first)
    said = [Feedback(Source.PERSON, text) for text in asked]
    return Dialogue(first, dialogue.turns).with_feedback(*said)
