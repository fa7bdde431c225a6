"""Python functions as they are but for their names, their layout and their docstrings."""

import ast
import hashlib
from collections.abc import Iterator

_LEAST_NODES = 24  # of a function; shorter ones are written alike by chance


class _Renamed(ast.NodeTransformer):
    """Gives what a function binds the names v0, v1, ... in the order in which they come up."""

    def __init__(self, bound: set[str]) -> None:
        self._bound = bound
        self._names: dict[str, str] = {}

    def _name(self, name: str) -> str:
        if name not in self._bound:
            return name
        return self._names.setdefault(name, f"v{len(self._names)}")

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self._name(node.id), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(self._name(node.arg))  # without its annotation

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self._name(node.name)
        node.returns = None
        self.generic_visit(node)
        node.body = without_docstring(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        return ast.Assign([node.target], node.value) if node.value else ast.Pass()


def fingerprints(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the name and the fingerprint of each function that is long enough to be told by it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and _size(node) >= _LEAST_NODES:
            name = node.name
            yield name, _fingerprint(node)


def without_docstring(node: ast.FunctionDef) -> list[ast.stmt]:
    """Return the body of a function without its docstring."""
    return (node.body[1:] if ast.get_docstring(node) is not None else node.body) or [ast.Pass()]


def _size(node: ast.FunctionDef) -> int:
    return sum(1 for part in without_docstring(node) for _ in ast.walk(part))


def _fingerprint(node: ast.FunctionDef) -> str:
    copied = ast.parse(ast.unparse(node)).body[0]
    bound = {each.name for each in ast.walk(copied) if isinstance(each, ast.FunctionDef)}
    bound |= {each.arg for each in ast.walk(copied) if isinstance(each, ast.arg)}
    bound |= {
        each.id
        for each in ast.walk(copied)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    }
    plain = ast.unparse(ast.fix_missing_locations(_Renamed(bound).visit(copied)))
    return hashlib.blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
