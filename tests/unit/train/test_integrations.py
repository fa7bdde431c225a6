"""The package for verifiers, which is not installed here, asks for names that we have."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "integrations/verifiers/codeloop_verifiers"
ASKED = sorted(
    (node.module, each.name)
    for path in PACKAGE.glob("*.py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("codeloop.")
    for each in node.names
)


@pytest.mark.parametrize(("module", "name"), ASKED)
def test_what_the_package_asks_for_is_there(module: str, name: str) -> None:
    if not hasattr(import_module(module), name):
        import_module(f"{module}.{name}")


def test_the_package_asks_for_something() -> None:
    assert ("codeloop.train.tuning.playing", "play") in ASKED  # else nothing is tried above
