"""Faults of syntax: programs that do not start."""

import ast
from collections.abc import Iterator
from itertools import pairwise

from codeloop.dataset.mutation.faults import Fault, make
from codeloop.dataset.mutation.source import Edit, Source

_HEADED = (ast.For, ast.While, ast.If, ast.FunctionDef, ast.With, ast.ClassDef)


def missing_colon(source: Source) -> Iterator[Fault | None]:
    """Yield headers without their colon."""
    for node in source.walk(ast.stmt):
        if isinstance(node, _HEADED):
            first = node.body[0]
            gap = source.text[source.start(node) : source.offset(first.lineno, 0)]
            header = gap.rstrip()
            if first.lineno > node.lineno and header.endswith(":"):
                at = source.start(node) + len(header) - 1
                yield make(source, "missing_colon", Edit(at, at + 1, ""))


def missing_bracket(source: Source) -> Iterator[Fault | None]:
    """Yield calls and lists whose bracket is not closed."""
    for node in source.walk(ast.expr):
        end = source.end(node)
        closed = isinstance(node, ast.Call | ast.List | ast.ListComp | ast.Subscript)
        if closed and node.lineno == node.end_lineno and source.text[end - 1] in ")]":
            edit = Edit(end - 1, end, "")
            yield make(source, "missing_bracket", edit, name=source.text[end - 1])


def missing_comma(source: Source) -> Iterator[Fault | None]:
    """Yield two things in a row without a comma between them."""
    for node in source.walk(ast.expr):
        items: list[ast.expr] = []
        match node:
            case ast.Call(args=given):
                items = given
            case ast.List(elts=given) | ast.Tuple(elts=given):
                items = given
            case _:
                pass
        for first, second in pairwise(items):
            yield make(source, "missing_comma", source.between(first, second, ",", ""))


def indentation(source: Source) -> Iterator[Fault | None]:
    """Yield lines that are indented by one space too many or too few."""
    for body in source.bodies():
        for node in body[1:]:
            indent = source.indent(node)
            text = source.of(node).partition("\n")[0]
            if indent and not indent.strip() and "`" not in text and "\t" not in indent:
                at = source.offset(node.lineno, 0)
                more = Fault("indentation", (Edit(at, at, " "),), node.lineno, text, text)
                less = Fault("indentation", (Edit(at, at + 1, ""),), node.lineno, text, text)
                yield from (more, less)


def unclosed_quote(source: Source) -> Iterator[Fault | None]:
    """Yield texts whose quote is not closed."""
    for node in source.walk(ast.Constant):
        text = source.of(node)
        plain = isinstance(node.value, str) and node.lineno == node.end_lineno
        if plain and len(text) > 1 and text[-1] in "'\"" and text[:3] not in {'"""', "'''"}:
            end = source.end(node)
            yield make(source, "unclosed_quote", Edit(end - 1, end, ""))


def single_equals(source: Source) -> Iterator[Fault | None]:
    """Yield conditions with `=` for `==`."""
    for node in source.walk(ast.Compare):
        if len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
            edit = source.between(node.left, node.comparators[0], "==", "=")
            yield make(source, "single_equals", edit)
