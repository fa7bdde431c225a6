"""Nothing at module level but constants, and no patched modules in tests."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = sorted((ROOT / "src" / "codeloop").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

# what is made empty is made to be filled later; a lock guards what changes
CONTAINERS = {"list", "dict", "set", "bytearray", "deque", "defaultdict", "Counter", "OrderedDict"}
LIVE = {"Lock", "RLock", "Event", "Condition", "Queue", "local", "ContextVar", "PoolManager"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run when the module is imported, outside functions and classes."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With | ast.For | ast.While):
            for part in ("body", "orelse", "finalbody"):
                yield from at_import(getattr(node, part, []))


def called(node: ast.expr) -> str:
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def may_change(value: ast.expr) -> bool:
    """Whether the value can only be of use if it changes later."""
    if isinstance(value, ast.List | ast.Set):
        return not value.elts
    if isinstance(value, ast.Dict):
        return not value.keys
    empty = isinstance(value, ast.Call) and not value.args and not value.keywords
    return called(value) in LIVE or (called(value) in CONTAINERS and empty)


def is_constant_name(target: ast.expr) -> bool:
    if isinstance(target, ast.Attribute):
        return target.attr in {"argtypes", "restype"}  # how ctypes declares a C function
    if not isinstance(target, ast.Name):
        return False  # an item of something else is written
    bare = target.id.strip("_")
    return bare.isupper() or target.id.startswith("__") or bare[:1].isupper()  # type alias


def faults(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield f"{node.lineno}: global {', '.join(node.names)}"
    for statement in at_import(tree.body):
        if isinstance(statement, ast.Assign):
            targets, value = statement.targets, statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets, value = [statement.target], statement.value
        else:
            continue
        if called(value) in {"CDLL", "PyDLL"}:
            continue  # a C library goes by its own name
        flat = [each for t in targets for each in (t.elts if isinstance(t, ast.Tuple) else [t])]
        if not all(is_constant_name(target) for target in flat) or may_change(value):
            yield f"{statement.lineno}: {ast.unparse(statement)}"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_module_keeps_no_state(path: Path) -> None:
    assert not list(faults(path))


@pytest.mark.parametrize(
    "line",
    ["SEEN = []", "CACHE: dict[str, int] = {}", "LOCK = threading.Lock()", "seen = 1", "a.b = 1"],
)
def test_state_would_be_found(line: str, tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(f"{line}\n", encoding="utf-8")
    assert list(faults(path))


@pytest.mark.parametrize("path", TESTS, ids=name)
def test_a_test_passes_a_fake_through_the_door(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = {
        alias.name if isinstance(node, ast.Import) else f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not [each for each in imports if f"{each}.".startswith(("unittest.mock.", "mock."))]
