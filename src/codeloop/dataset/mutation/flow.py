"""Faults of flow: branches, returns and loops, and what loops build up."""

import ast
from collections.abc import Iterator
from itertools import pairwise

from codeloop.dataset.mutation.faults import Fault, make, take_out
from codeloop.dataset.mutation.source import Edit, Function, Source


def base_case(source: Source) -> Iterator[Fault | None]:
    """Yield recursive functions without one of their base cases."""
    for function in source.functions():
        if _is_recursive(function):
            for case in _early_exits(source, function):
                yield take_out(source, "base_case", case, name=function.name)


def guard(source: Source) -> Iterator[Fault | None]:
    """Yield functions that do not leave early where they should."""
    for function in source.functions():
        if not _is_recursive(function):
            for case in _early_exits(source, function):
                yield take_out(source, "guard", case, name=function.name)


def swapped_branches(source: Source) -> Iterator[Fault | None]:
    """Yield choices that take each branch when the other is due."""
    for node in source.walk(ast.IfExp):
        body, other = source.of(node.body), source.of(node.orelse)
        edits = source.replace(node.body, other), source.replace(node.orelse, body)
        yield make(source, "swapped_branches", *edits, around=node, form="expression")
    for choice in source.walk(ast.If):
        if len(choice.body) == len(choice.orelse) == 1:
            first, second = choice.body[0], choice.orelse[0]
            if _is_simple(first) and _is_simple(second):
                texts = source.of(first), source.of(second)
                edits = source.replace(first, texts[1]), source.replace(second, texts[0])
                yield _told_by_header(source, choice, edits)


def elif_as_if(source: Source) -> Iterator[Fault | None]:
    """Yield an `elif` that is an `if`, so that two cases apply."""
    for node in source.walk(ast.If):
        start = source.start(node)
        if source.text[start : start + 4] == "elif":
            yield make(source, "elif_as_if", Edit(start, start + 4, "if"))


def early_return(source: Source) -> Iterator[Fault | None]:
    """Yield returns that belong after a loop, but stand in it."""
    for body in source.bodies():
        for loop, last in pairwise(body):
            is_loop = isinstance(loop, ast.For | ast.While) and not loop.orelse
            if is_loop and isinstance(last, ast.Return) and last.value is not None:
                inner = source.indent(loop.body[-1])  # type: ignore[attr-defined]
                outer = source.indent(last)
                if last.lineno == last.end_lineno and inner.startswith(outer) and not outer.strip():
                    at = source.start(last)
                    edit = Edit(at, at, inner[len(outer) :])
                    text = source.of(last)
                    if "`" not in text:
                        yield Fault("early_return", (edit,), last.lineno, text, text)


def dropped_return(source: Source) -> Iterator[Fault | None]:
    """Yield functions that work out their answer and do not return it."""
    for function in source.functions():
        last = function.body[-1]
        if not isinstance(last, ast.Return) or last.value is None or len(function.body) == 1:
            continue
        if isinstance(last.value, ast.Name):
            yield take_out(source, "dropped_return", last, name=function.name, form="missing")
        elif not isinstance(last.value, ast.Constant):
            edit = Edit(source.start(last), source.start(last.value), "")
            if source.text[edit.start : edit.end].strip() == "return":
                yield make(source, "dropped_return", edit, name=function.name)


def loop_exit(source: Source) -> Iterator[Fault | None]:
    """Yield loops that go on where they should stop, or work on where they should go on."""
    for node in source.walk(ast.Break):
        yield make(source, "loop_exit", source.replace(node, "continue"), form="break")
    for skip in source.walk(ast.Continue):
        yield make(source, "loop_exit", source.replace(skip, "pass"), form="continue")


def _early_exits(source: Source, function: Function) -> Iterator[ast.If]:
    """Yield the `if`s of a function's own lines that do nothing but return."""
    for node in function.body[:-1]:
        if isinstance(node, ast.If) and not node.orelse and isinstance(node.body[-1], ast.Return):
            yield node


def _is_recursive(function: Function) -> bool:
    return any(_calls(node, function.name) for node in ast.walk(function))


def _calls(node: ast.AST, name: str) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    return (isinstance(called, ast.Name) and called.id == name) or (
        isinstance(called, ast.Attribute)
        and called.attr == name
        and isinstance(called.value, ast.Name)
        and called.value.id == "self"
    )


def _is_simple(statement: ast.stmt) -> bool:
    kinds = (ast.Assign, ast.AugAssign, ast.Return, ast.Expr)
    return isinstance(statement, kinds) and statement.lineno == statement.end_lineno


def _told_by_header(source: Source, choice: ast.If, edits: tuple[Edit, Edit]) -> Fault | None:
    header = source.of(choice.test)
    if "\n" in header or "`" in header:
        return None
    return Fault("swapped_branches", edits, choice.lineno, header, header, form="statement")


def endless_loop(source: Source) -> Iterator[Fault | None]:
    """Yield `while` loops that do not come nearer to their end."""
    for loop in source.walk(ast.While):
        waits_for = {node.id for node in ast.walk(loop.test) if isinstance(node, ast.Name)}
        for node in ast.walk(loop):
            match node:
                case ast.AugAssign(target=ast.Name(id=name)) if name in waits_for:
                    if node in loop.body and len(loop.body) > 1:
                        yield take_out(source, "endless_loop", node, name=name, form="dropped")
                case ast.Assign(
                    targets=[ast.Name(id=name)],
                    value=ast.BinOp(op=ast.Add() | ast.Sub(), right=ast.Constant(value=1)) as step,
                ) if name in waits_for:
                    edit = Edit(source.end(step.left), source.end(step), "")
                    yield make(source, "endless_loop", edit, around=node, name=name, form="short")
                case _:
                    pass


_OTHERS = {"0": "1", "1": "0", "True": "False", "False": "True", "-1": "0"}
_OTHERS |= {"inf": "-inf", "-inf": "inf", "float('inf')": "float('-inf')"}
_OTHERS |= {"float('-inf')": "float('inf')", 'float("inf")': 'float("-inf")'}


def initial_value(source: Source) -> Iterator[Fault | None]:
    """Yield variables that begin with the wrong value."""
    for body in source.bodies():
        for node in body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                other = _OTHERS.get(source.of(node.value))
                if other is not None:
                    edit = source.replace(node.value, other)
                    name = node.targets[0].id
                    yield make(source, "initial_value", edit, around=node, name=name)


def lost_sum(source: Source) -> Iterator[Fault | None]:
    """Yield sums of which only the last part is kept."""
    for node in source.walk(ast.AugAssign):
        sign = {ast.Add: "+=", ast.Mult: "*=", ast.BitOr: "|=", ast.BitXor: "^="}.get(type(node.op))
        if sign is not None:
            edit = source.between(node.target, node.value, sign, "=")
            yield make(source, "lost_sum", edit, around=node, name=source.of(node.target))


def reset_in_loop(source: Source) -> Iterator[Fault | None]:
    """Yield variables that begin anew each time through a loop, not once before it."""
    for body in source.bodies():
        for first, loop in pairwise(body):
            if isinstance(first, ast.Assign) and isinstance(loop, ast.For):
                yield _moved_in(source, first, loop)


def _moved_in(source: Source, first: ast.Assign, loop: ast.For) -> Fault | None:
    gone = source.without(first)
    inner = loop.body[0]
    text = source.of(first)
    plain = "\n" not in text and "`" not in text and isinstance(first.targets[0], ast.Name)
    if gone is None or not plain or inner.lineno == loop.lineno:
        return None
    changed = {node.id for node in ast.walk(loop) if isinstance(node, ast.Name)}
    name = source.of(first.targets[0])
    if name not in changed:
        return None
    at = source.offset(inner.lineno, 0)
    put = Edit(at, at, f"{source.indent(inner)}{text}\n")
    return Fault("reset_in_loop", (gone, put), first.lineno, text, text, name=name)


def split_assignment(source: Source) -> Iterator[Fault | None]:
    """Yield `a, b = b, a + b` done one after the other, so that the second sees the first."""
    for node in source.walk(ast.Assign):
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                if len(names) == len(values) == 2 and node.lineno == node.end_lineno:  # noqa: PLR2004
                    indent = source.line(node.lineno)[: node.col_offset]
                    if not indent.strip():
                        lines = [
                            f"{source.of(name)} = {source.of(value)}"
                            for name, value in zip(names, values, strict=True)
                        ]
                        edit = source.replace(node, f"\n{indent}".join(lines))
                        told = source.of(node)
                        first = {
                            each.id for each in ast.walk(names[0]) if isinstance(each, ast.Name)
                        }
                        used = {
                            each.id for each in ast.walk(values[1]) if isinstance(each, ast.Name)
                        }
                        if "`" not in told and first & used:
                            yield Fault(
                                "split_assignment",
                                (edit,),
                                node.lineno,
                                told,
                                "; ".join(lines),
                                name=source.of(names[0]),
                            )
            case _:
                pass
