"""Fields of a row as a source names them, taken out and checked."""

import ast
import json
from collections.abc import Mapping
from typing import Any

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
