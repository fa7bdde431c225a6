"""An open code interpreter: a model writes code, a jail runs it, the answer is refined."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codeloop.core.dialogue import Dialogue, Message, Turn
    from codeloop.core.errors import CodeloopError
    from codeloop.core.execution import ExecutionResult, Status
    from codeloop.loop.limits import Limits
    from codeloop.loop.refine import refine

__all__ = [
    "CodeloopError",
    "Dialogue",
    "ExecutionResult",
    "Limits",
    "Message",
    "Status",
    "Turn",
    "refine",
]

_HOMES = {
    "CodeloopError": "codeloop.core.errors",
    "Dialogue": "codeloop.core.dialogue",
    "ExecutionResult": "codeloop.core.execution",
    "Limits": "codeloop.loop.limits",
    "Message": "codeloop.core.dialogue",
    "Status": "codeloop.core.execution",
    "Turn": "codeloop.core.dialogue",
    "refine": "codeloop.loop.refine",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for, so that `import codeloop` costs nothing."""
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
