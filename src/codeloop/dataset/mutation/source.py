"""A Python source with its tree: where each node stands, and what becomes of it by edits."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TypeVar

_Node = TypeVar("_Node", bound=ast.AST)
_SHOWN_CHARS = 88  # of a piece of code that a sentence may quote

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Edit:
    """What stands from `start` up to `end` (characters) gives way to `text`."""

    start: int
    end: int
    text: str


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Return a text after edits that do not overlap; all else stays as it is."""
    for edit in sorted(edits, key=lambda each: each.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


class Source:
    """A Python text and its tree, with the places of nodes in characters."""

    def __init__(self, text: str) -> None:
        """Read a text.

        Raises:
            SyntaxError: it is no Python.
        """
        self.text = text
        self.tree = ast.parse(text)
        self._lines = text.split("\n")
        self._starts = [0, *accumulate(len(line) + 1 for line in self._lines)]

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """What each node stands in."""
        pairs = (
            (child, node) for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)
        )
        return dict(pairs)

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name and attribute that occurs."""
        names = {each.id for each in ast.walk(self.tree) if isinstance(each, ast.Name)}
        names |= {each.attr for each in ast.walk(self.tree) if isinstance(each, ast.Attribute)}
        names |= {each.arg for each in ast.walk(self.tree) if isinstance(each, ast.arg)}
        return frozenset(names)

    @cached_property
    def _annotations(self) -> frozenset[ast.AST]:
        roots: list[ast.AST | None] = []
        for node in ast.walk(self.tree):
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    roots.append(node.returns)
                case ast.arg() | ast.AnnAssign():
                    roots.append(node.annotation)
                case _:
                    pass
        return frozenset(each for root in roots if root is not None for each in ast.walk(root))

    @cached_property
    def _nodes(self) -> tuple[ast.AST, ...]:
        places = (node for node in ast.walk(self.tree) if hasattr(node, "lineno"))
        mine = (node for node in places if node not in self._annotations)
        return tuple(sorted(mine, key=self.start))

    def walk(self, kind: type[_Node]) -> Iterator[_Node]:
        """Yield the nodes of a kind in the order of the text, those of annotations left out."""
        yield from (node for node in self._nodes if isinstance(node, kind))

    def functions(self) -> Iterator[Function]:
        """Yield the functions, those in classes and in functions too."""
        yield from (node for node in self._nodes if isinstance(node, Function))

    def bodies(self) -> Iterator[list[ast.stmt]]:
        """Yield each list of statements that stand below each other within functions."""
        for function in self.functions():
            yield from self.bodies_in(function)

    def bodies_in(self, function: Function) -> Iterator[list[ast.stmt]]:
        """Yield the lists of statements of one function, those of functions in it left out."""
        waiting: list[ast.AST] = [function]
        while waiting:
            node = waiting.pop(0)
            for name in ("body", "orelse"):
                body = getattr(node, name, [])
                if isinstance(body, list) and body:
                    yield body
                    waiting += [each for each in body if not isinstance(each, Function)]

    def function_of(self, node: ast.AST) -> Function | None:
        """Return the function that a node stands in, the innermost."""
        at: ast.AST | None = self.parents.get(node)
        while at is not None and not isinstance(at, Function):
            at = self.parents.get(at)
        return at

    def start(self, node: ast.AST) -> int:
        """Return where a node begins, in characters."""
        return self.offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]

    def end(self, node: ast.AST) -> int:
        """Return where a node has ended, in characters."""
        return self.offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def offset(self, line: int, column: int) -> int:
        """Return the place of a line (from 1) and a column (bytes, as `ast` counts)."""
        text = self._lines[line - 1]
        if not text.isascii():
            column = len(text.encode()[:column].decode(errors="ignore"))
        return self._starts[line - 1] + column

    def of(self, node: ast.AST) -> str:
        """Return what a node is written as."""
        return self.text[self.start(node) : self.end(node)]

    def replace(self, node: ast.AST, text: str) -> Edit:
        """Return the edit that writes something else for a node."""
        return Edit(self.start(node), self.end(node), text)

    def indent(self, statement: ast.stmt) -> str:
        """Return the white space before a statement that begins its line."""
        return self.line(statement.lineno)[: statement.col_offset]

    def line(self, number: int) -> str:
        """Return a line (from 1) without its end."""
        return self._lines[number - 1]

    def line_at(self, offset: int) -> int:
        """Return the number of the line (from 1) that a place is in."""
        return self.text.count("\n", 0, offset) + 1

    def without(self, statement: ast.stmt) -> Edit | None:
        """Return the edit that takes out the lines of a statement, if it has them for itself."""
        first, last = statement.lineno, statement.end_lineno or statement.lineno
        before = self.line(first)[: statement.col_offset]
        after = self.text[self.end(statement) : self._starts[last] - 1]
        if before.strip() or (after.strip() and not after.strip().startswith("#")):
            return None
        return Edit(self._starts[first - 1], min(self._starts[last], len(self.text)), "")

    def between(self, left: ast.AST, right: ast.AST, sign: str, other: str) -> Edit | None:
        """Return the edit that writes another sign between two nodes."""
        start, end = self.end(left), self.start(right)
        gap = self.text[start:end]
        if gap.count(sign) != 1 or "#" in gap:
            return None
        at = start + gap.index(sign)
        return Edit(at, at + len(sign), other)

    def quoted(
        self, edits: Iterable[Edit], around: ast.AST | None = None
    ) -> tuple[str, str] | None:
        """Return a piece of code before and after edits, in one line each, fit to be quoted.

        The piece is the node given if it stands in one line and the edits in it, else the line.
        """
        edits = tuple(edits)
        start, end = min(each.start for each in edits), max(each.end for each in edits)
        spans = []
        if around is not None and hasattr(around, "lineno"):
            spans.append((self.start(around), self.end(around)))
        first, last = self.line_at(start), self.line_at(max(start, end - 1))
        spans.append((self._starts[first - 1], self._starts[last] - 1))
        for low, high in spans:
            if low <= start and end <= high:
                moved = [Edit(each.start - low, each.end - low, each.text) for each in edits]
                right = self.text[low:high]
                pair = right.strip(), edited(right, moved).strip()
                if all(map(_is_quotable, pair)):
                    return pair
        return None


def _is_quotable(code: str) -> bool:
    return 0 < len(code) <= _SHOWN_CHARS and "\n" not in code and "`" not in code
