"""Takes a JSON object apart; what does not fit is refused by its place."""

import json
from typing import Any, TypeVar

from starlette.exceptions import HTTPException

from codeloop.sandbox.remote.wire import as_bytes

_T = TypeVar("_T")
_UNFIT = 422  # what SandboxFusion answers to such a request
_MOST_S = 3600.0


def parse(body: bytes) -> dict[str, Any]:
    """Return the object that a request's body is.

    Raises:
        HTTPException: it is none.
    """
    try:
        form = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(_UNFIT, f"not JSON: {error}") from error
    if not isinstance(form, dict):
        raise HTTPException(_UNFIT, "not a JSON object")
    return form


def take(form: dict[str, Any], name: str, kind: type[_T], default: _T | None = None) -> _T:
    """Return a field, or what it is by default; None counts as missing.

    Raises:
        HTTPException: it is missing and has no default, or is of another type.
    """
    value = form.get(name)
    if value is None and default is not None:
        return default
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise HTTPException(_UNFIT, f"{name} should be {kind.__name__}, not {value!r:.100}")
    return value


def take_seconds(form: dict[str, Any], name: str, default: float) -> float:
    """Return a field that is a time limit.

    Raises:
        HTTPException: it is not more than 0, or too long.
    """
    seconds = take(form, name, float, default)
    if not 0 < seconds <= _MOST_S:
        raise HTTPException(_UNFIT, f"{name} should be more than 0 and at most {_MOST_S:g}")
    return seconds


def take_files(form: dict[str, Any], name: str) -> tuple[tuple[str, bytes], ...]:
    """Return a field that has file contents in base64 by their paths; a path without is left out.

    Raises:
        HTTPException: it is something else.
    """
    files = take(form, name, dict, {})
    try:
        return tuple(
            (str(path), as_bytes(take(files, path, str), path))
            for path, content in files.items()
            if content is not None
        )
    except ValueError as error:
        raise HTTPException(_UNFIT, f"{name}: {error}") from error
