"""Faults of expressions: off by one at an edge, or the wrong operator."""

import ast
from collections.abc import Iterator

from codeloop.dataset.mutation.faults import Fault, make
from codeloop.dataset.mutation.source import Edit, Source

_PLAIN = (ast.Name, ast.Call, ast.Attribute, ast.Subscript)


def range_end(source: Source) -> Iterator[Fault | None]:
    """Yield ranges that end one value too early or too late."""
    for call in _ranges(source):
        end = call.args[min(1, len(call.args) - 1)]
        for edit, step in _off_by_one(source, end):
            form = "early" if step < 0 else "late"
            if len(call.args) > 2:  # noqa: PLR2004  with a step it may count down
                form = ""
            yield make(source, "range_end", edit, around=call, form=form)


def range_start(source: Source) -> Iterator[Fault | None]:
    """Yield ranges that begin one value too early or too late."""
    for call in _ranges(source):
        if len(call.args) > 1:
            for edit, _ in _off_by_one(source, call.args[0]):
                yield make(source, "range_start", edit, around=call)


def index(source: Source) -> Iterator[Fault | None]:
    """Yield indexes that are off by one."""
    for node in source.walk(ast.Subscript):
        if isinstance(node.ctx, ast.Load) and not isinstance(node.slice, ast.Slice | ast.Tuple):
            for edit, _ in _off_by_one(source, node.slice):
                yield make(source, "index", edit, around=node, name=source.of(node.value))


def slice_bound(source: Source) -> Iterator[Fault | None]:
    """Yield slices with a bound that is off by one."""
    for node in source.walk(ast.Subscript):
        if isinstance(node.ctx, ast.Load) and isinstance(node.slice, ast.Slice):
            for bound in (node.slice.lower, node.slice.upper):
                if bound is not None:
                    for edit, _ in _off_by_one(source, bound):
                        yield make(source, "slice_bound", edit, around=node)


_STRICT = {ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">")}


def boundary(source: Source) -> Iterator[Fault | None]:
    """Yield comparisons that take the boundary in, or leave it out."""
    for node in source.walk(ast.Compare):
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            signs = _STRICT.get(type(operator))
            if signs is not None:
                edit = source.between(left, right, *signs)
                form = "strict" if len(signs[1]) == 1 else "loose"
                yield make(source, "boundary", edit, around=node, form=form)
            left = right


def constant(source: Source) -> Iterator[Fault | None]:
    """Yield whole numbers in sums, products and comparisons that are off by one."""
    for node in source.walk(ast.Constant):
        above = source.parents[node]
        if type(node.value) is int and isinstance(above, ast.BinOp | ast.Compare):
            value = node.value
            yield make(source, "constant", source.replace(node, str(value + 1)), around=above)
            if value > 1:
                yield make(source, "constant", source.replace(node, str(value - 1)), around=above)


def _ranges(source: Source) -> Iterator[ast.Call]:
    for node in source.walk(ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id == "range" and node.args:
            yield node


def _off_by_one(source: Source, node: ast.expr) -> Iterator[tuple[Edit, int]]:
    """Yield edits that make an expression one less or one more, and which of these they do."""
    text = source.of(node)
    match node:
        case ast.Constant(value=int(value)) if type(value) is int:
            yield source.replace(node, str(value + 1)), 1
            if value > 0:
                yield source.replace(node, str(value - 1)), -1
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1)):
            yield source.replace(node, "-2"), -1
            yield source.replace(node, "0"), 1
        case ast.BinOp(op=ast.Add() | ast.Sub(), right=ast.Constant(value=1)):
            step = -1 if isinstance(node.op, ast.Add) else 1
            yield Edit(source.end(node.left), source.end(node), ""), step
        case _ if isinstance(node, _PLAIN):
            yield source.replace(node, f"{text} - 1"), -1
            yield source.replace(node, f"{text} + 1"), 1
        case _:
            pass


_COMPARED = {
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Lt: ("<", ">"),
    ast.Gt: (">", "<"),
    ast.LtE: ("<=", ">="),
    ast.GtE: (">=", "<="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.IsNot: ("is not", "is"),
}


def comparison(source: Source) -> Iterator[Fault | None]:
    """Yield comparisons the wrong way round."""
    for node in source.walk(ast.Compare):
        if len(node.ops) == 1 and type(node.ops[0]) in _COMPARED:
            signs = _COMPARED[type(node.ops[0])]
            edit = source.between(node.left, node.comparators[0], *signs)
            yield make(source, "comparison", edit, around=node)


_ARITHMETIC = {
    ast.Add: ("+", ("-",)),
    ast.Sub: ("-", ("+",)),
    ast.Mult: ("*", ("+",)),
    ast.Mod: ("%", ("//",)),
    ast.FloorDiv: ("//", ("%",)),
    ast.Pow: ("**", ("*",)),
    ast.BitXor: ("^", ("|", "&")),
    ast.BitAnd: ("&", ("|",)),
    ast.BitOr: ("|", ("&",)),
    ast.LShift: ("<<", (">>",)),
    ast.RShift: (">>", ("<<",)),
}


def arithmetic(source: Source) -> Iterator[Fault | None]:
    """Yield sums, products and their like with the wrong operator."""
    for node in source.walk(ast.BinOp):
        sign, others = _ARITHMETIC.get(type(node.op), ("", ()))
        if not _of_texts(node):
            for other in others:
                edit = source.between(node.left, node.right, sign, other)
                yield make(source, "arithmetic", edit, around=node)
    for step in source.walk(ast.AugAssign):
        sign, others = _ARITHMETIC.get(type(step.op), ("", ()))
        for other in others:
            edit = source.between(step.target, step.value, f"{sign}=", f"{other}=")
            yield make(source, "arithmetic", edit, around=step)


def float_division(source: Source) -> Iterator[Fault | None]:
    """Yield whole divisions that give a float."""
    for node in source.walk(ast.BinOp):
        if isinstance(node.op, ast.FloorDiv):
            edit = source.between(node.left, node.right, "//", "/")
            yield make(source, "float_division", edit, around=node)
    for step in source.walk(ast.AugAssign):
        if isinstance(step.op, ast.FloorDiv):
            edit = source.between(step.target, step.value, "//=", "/=")
            yield make(source, "float_division", edit, around=step)


def boolean(source: Source) -> Iterator[Fault | None]:
    """Yield `and` in place of `or`, and the other way round."""
    for node in source.walk(ast.BoolOp):
        signs = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        if len(node.values) == 2:  # noqa: PLR2004
            edit = source.between(node.values[0], node.values[1], *signs)
            yield make(source, "boolean", edit, around=node)


def negation(source: Source) -> Iterator[Fault | None]:
    """Yield conditions that hold when they should not."""
    for node in source.walk(ast.UnaryOp):
        if isinstance(node.op, ast.Not):
            edit = Edit(source.start(node), source.start(node.operand), "")
            if source.text[edit.start : edit.end].strip() == "not":
                yield make(source, "negation", edit, around=source.parents[node], form="dropped")
    for holder in source.walk(ast.AST):
        if not isinstance(holder, ast.If | ast.While | ast.IfExp):
            continue
        test = holder.test
        if isinstance(test, ast.Name | ast.Call | ast.Attribute | ast.Subscript):
            edit = source.replace(test, f"not {source.of(test)}")
            yield make(source, "negation", edit, form="added")
        elif isinstance(test, ast.Compare):
            edit = source.replace(test, f"not ({source.of(test)})")
            yield make(source, "negation", edit, form="added")


_OPAQUE = (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.BinOp)


def identity(source: Source) -> Iterator[Fault | None]:
    """Yield `is` where values should be compared."""
    for node in source.walk(ast.Compare):
        if len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
            left, right = node.left, node.comparators[0]
            if isinstance(left, _OPAQUE) and isinstance(right, _OPAQUE):
                yield make(source, "identity", source.between(left, right, "==", "is"), around=node)


_PAIRED = {"min": "max", "max": "min", "any": "all", "all": "any"}


def min_max(source: Source) -> Iterator[Fault | None]:
    """Yield `max` for `min`, `any` for `all`, and the other way round."""
    for node in source.walk(ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in _PAIRED:
            other = _PAIRED[node.func.id]
            edit = source.replace(node.func, other)
            yield make(source, "min_max", edit, around=node, name=node.func.id, form="")


def _of_texts(node: ast.BinOp) -> bool:
    """Return whether a sum is plainly one of texts or lists, which has no other operator."""
    return any(
        isinstance(side, ast.List | ast.ListComp | ast.JoinedStr)
        or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in (node.left, node.right)
    )
