"""The settings of a chat."""

from collections.abc import Mapping
from typing import Any

from codeloop.server.refusals import RefusalError

MODES = frozenset({"auto", "ask", "confirm"})
_MOST_TURNS = 20  # more is no bound
_FOLDER_CHARS = 60


def settings_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are given.

    Raises:
        RefusalError: one is not known, or has no proper value.
    """
    known: dict[str, Any] = {}
    for name, value in data.items():
        match name, value:
            case "turns", int() if 1 <= value <= _MOST_TURNS:
                known[name] = value
            case "mode", str() if value in MODES:
                known[name] = value
            case "folder", str() if len(value) <= _FOLDER_CHARS and value.isprintable():
                known[name] = value.strip()  # empty: in none
            case _:
                text = f"settings.{name}: not a setting, or not a value for it"
                raise RefusalError(400, text)
    return known
