"""Tests that are code: run with a proxy for the function; asserts tell what they compared."""

import ast
from collections.abc import Callable
from types import CodeType
from typing import Any

_FILE = "<tests>"
_NOTE = "__judge_note__"


class Noted:
    """The last comparison that an assert made, and its source."""

    def __init__(self) -> None:
        self.sides: tuple[Any, Any] | None = None
        self.source = ""
        self.count = 0

    def __call__(self, source: str, left: Any, right: Any) -> bool:
        self.sides = left, right
        return bool(left == right)

    def start(self, source: str) -> None:
        """Note an assert that compares nothing; its sides are not known."""
        self.source, self.sides = source, None
        self.count += 1


class _Telling(ast.NodeTransformer):
    """Has each assert say what it is, and its two sides where it is an equation."""

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        source = ast.Constant(ast.unparse(node))
        test = node.test
        note = ast.Name(_NOTE, ast.Load())
        start = ast.Expr(ast.Call(ast.Attribute(note, "start", ast.Load()), [source], []))
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
            node.test = ast.Call(note, [source, test.left, test.comparators[0]], [])
        return [ast.copy_location(start, node), node]


def compiled(source: str) -> CodeType:
    """Return the code of tests, with asserts that tell."""
    tree = _Telling().visit(ast.parse(source, _FILE))
    return compile(ast.fix_missing_locations(tree), _FILE, "exec", dont_inherit=True)


def run(
    code: CodeType, setup: CodeType, name: str, function: Callable[..., Any], noted: Noted
) -> None:
    """Run tests: asserts by the function's name, or a `check` that is given the function."""
    namespace: dict[str, Any] = {"__name__": "tests", _NOTE: noted}
    exec(setup, namespace)  # noqa: S102  the data set's own
    namespace.pop("check", None)
    if name.isidentifier():
        namespace[name] = function
    exec(code, namespace)  # noqa: S102
    check = namespace.get("check")
    if callable(check):
        check(function)
