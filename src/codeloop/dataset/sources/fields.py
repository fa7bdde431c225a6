"""Fields of a row as a source names them, taken out and checked."""

import ast
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from codeloop.core.dialogue import Dialogue, Feedback, Message, Role, Source, Turn
from codeloop.dataset.sources.files import Row


class UnfitError(ValueError):
    """A row does not fit its form; the text says which field and why."""


def text(row: Row, *names: str) -> str:
    """Return the first field of these names that is a text with something in it, else "".

    Raises:
        UnfitError: one of them is there and is no text.
    """
    for name in names:
        value = row.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            msg = f"{name!r} should be a text, not {type(value).__name__}"
            raise UnfitError(msg)
        if value.strip():
            return value
    return ""


def needed(row: Row, *names: str) -> str:
    """Return the first field of these names that is a text with something in it.

    Raises:
        UnfitError: there is none.
    """
    found = text(row, *names)
    if not found:
        msg = f"no text in {' or '.join(map(repr, names))}"
        raise UnfitError(msg)
    return found


def items(row: Row, name: str) -> list[Any]:
    """Return a field that is a list, or a list written as JSON or as Python; [] if it is missing.

    Raises:
        UnfitError: it is there and is none.
    """
    value = row.get(name)
    if isinstance(value, str):
        value = _parsed(value, name) if value.strip() else []
    if value is None:
        return []
    if not isinstance(value, list):
        msg = f"{name!r} should be a list, not {type(value).__name__}"
        raise UnfitError(msg)
    return value


def mapping(row: Row, name: str) -> Mapping[str, Any]:
    """Return a field that is an object, or one written as JSON; {} if it is missing.

    Raises:
        UnfitError: it is there and is none.
    """
    value = row.get(name)
    if isinstance(value, str):
        value = _parsed(value, name) if value.strip() else {}
    if value is None:
        return {}
    if not isinstance(value, dict):
        msg = f"{name!r} should be an object, not {type(value).__name__}"
        raise UnfitError(msg)
    return value


def words(row: Row, name: str) -> tuple[str, ...]:
    """Return the texts of a field that is a list.

    Raises:
        UnfitError: it is there and is no list of texts.
    """
    found = items(row, name)
    if not all(isinstance(each, str) for each in found):
        msg = f"{name!r} should be a list of texts"
        raise UnfitError(msg)
    return tuple(found)


def _parsed(value: str, name: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return _literal(value, name)


def _literal(value: str, name: str) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as error:
        msg = f"{name!r} is neither JSON nor a literal"
        raise UnfitError(msg) from error


Said = tuple[Role, str]

_ROLES = {
    "system": Role.SYSTEM,
    "user": Role.USER,
    "human": Role.USER,
    "execution": Role.USER,  # what a run printed goes to the model as the user's message
    "tool": Role.USER,
    "assistant": Role.ASSISTANT,
    "gpt": Role.ASSISTANT,
    "chatgpt": Role.ASSISTANT,
    "model": Role.ASSISTANT,
}


def said(messages: Sequence[Any]) -> list[Said]:
    """Return who says what: `from` and `value` as ShareGPT has them, or `role` and `content`.

    Empty messages are left out; what one says in several messages in a row is one message.

    Raises:
        UnfitError: a message is none, or its speaker is not known.
    """
    found: list[Said] = []
    for number, each in enumerate(messages):
        role, text = _message(each, number)
        if not text.strip():
            continue
        if found and found[-1][0] is role:
            text = f"{found.pop()[1]}\n\n{text}"
        found.append((role, text))
    return found


def first_pair(messages: Sequence[Any]) -> tuple[str, str]:
    """Return the first request, and the reply to it, "" if there is none.

    Raises:
        UnfitError: nobody asks anything.
    """
    spoken = [each for each in said(messages) if each[0] is not Role.SYSTEM]
    if not spoken or spoken[0][0] is not Role.USER:
        msg = "it does not begin with a request"
        raise UnfitError(msg)
    return spoken[0][1], spoken[1][1] if len(spoken) > 1 else ""


def dialogue(messages: Sequence[Any], *, name: str = "") -> Dialogue:
    """Return the dialogue that messages make; its id comes of its name, else of its texts.

    What the user says after a reply is kept as a person's words, since a published text does not
    tell a person from a run.

    Raises:
        UnfitError: it does not begin with a request and a reply, or a system text comes late.
    """
    spoken = said(messages)
    opening = 1 if spoken and spoken[0][0] is Role.SYSTEM else 0
    if len(spoken) < opening + 2 or spoken[opening][0] is not Role.USER:
        msg = "it does not begin with a request and a reply"
        raise UnfitError(msg)
    turns: list[Turn] = []
    for role, text in spoken[opening + 1 :]:
        match role:
            case Role.ASSISTANT:
                turns.append(Turn(text))
            case Role.USER:
                turns.append(turns.pop().with_feedback(Feedback(Source.PERSON, text)))
            case Role.SYSTEM:
                msg = "a system text after the first message"
                raise UnfitError(msg)
    first = tuple(Message(role, text) for role, text in spoken[: opening + 1])
    whole = name or "\0".join(f"{role}\0{text}" for role, text in spoken)
    key = hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return Dialogue(first, tuple(turns), id=key)


def _message(each: Any, number: int) -> Said:
    if not isinstance(each, dict):
        msg = f"message {number} is not an object"
        raise UnfitError(msg)
    speaker = each.get("from", each.get("role"))
    text = each.get("value", each.get("content"))
    role = _ROLES.get(speaker.lower()) if isinstance(speaker, str) else None
    if role is None:
        msg = f"message {number}: {speaker!r} is no speaker that is known"
        raise UnfitError(msg)
    if not isinstance(text, str):
        msg = f"message {number} has no text"
        raise UnfitError(msg)
    return role, text
