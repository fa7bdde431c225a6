"""The programs that a rig has to be given for this judge."""

from importlib.resources import files

from codeloop.core.execution import GuestProgram, RigPrograms

_PACKAGE = "codeloop.judge.guest"
_SHARED = ("arrays", "wire", "marks", "candidate")
_TESTERS = ("proxy", "compare", "checks", "expected", "functions", "tester")


def rig_programs() -> RigPrograms:
    """Return what runs a solution and answers calls, and what holds the tests and calls."""
    return RigPrograms(_program(_SHARED), _program((*_SHARED, *_TESTERS)))


def _program(names: tuple[str, ...]) -> GuestProgram:
    folder = files(_PACKAGE)
    sources = ((name, folder.joinpath(f"{name}.py")) for name in names)
    return GuestProgram(
        tuple((f"{_PACKAGE}.{name}", path.read_text(encoding="utf-8")) for name, path in sources)
    )
