"""The programs that a rig has to be given for this judge."""

from importlib.resources import files

from codeloop.core.execution import GuestProgram

_PACKAGE = "codeloop.judge.guest"
_SHARED = ("arrays", "wire", "candidate")
_TESTERS = ("proxy", "compare", "checks", "tester")


def candidate_program() -> GuestProgram:
    """Return what runs a solution and answers the tester's calls."""
    return _program(_SHARED)


def tester_program() -> GuestProgram:
    """Return what holds the tests."""
    return _program((*_SHARED, *_TESTERS))


def _program(names: tuple[str, ...]) -> GuestProgram:
    folder = files(_PACKAGE)
    sources = ((name, folder.joinpath(f"{name}.py")) for name in names)
    return GuestProgram(
        tuple((f"{_PACKAGE}.{name}", path.read_text(encoding="utf-8")) for name, path in sources)
    )
