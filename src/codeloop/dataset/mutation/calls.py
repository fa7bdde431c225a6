"""Faults of calls: arguments swapped, conversions and sorting dropped, the wrong method."""

import ast
from collections.abc import Iterator

from codeloop.dataset.mutation.faults import Fault, make, take_out
from codeloop.dataset.mutation.source import Edit, Source

_COMMUTATIVE = frozenset({"max", "min", "gcd", "lcm", "print", "zip", "Counter"})


def swapped_arguments(source: Source) -> Iterator[Fault | None]:
    """Yield calls with their first two arguments swapped."""
    for node in source.walk(ast.Call):
        arguments = node.args[:2]
        if len(arguments) == 2 and _called(node) not in _COMMUTATIVE:  # noqa: PLR2004
            first, second = map(source.of, arguments)
            if first != second and not any(isinstance(each, ast.Starred) for each in arguments):
                edits = source.replace(arguments[0], second), source.replace(arguments[1], first)
                name = _called(node)
                yield make(source, "swapped_arguments", *edits, around=node, name=name)


def missing_conversion(source: Source) -> Iterator[Fault | None]:
    """Yield values that are not turned into the type that is needed."""
    for node in _calls_of(source, {"int", "str", "float"}):
        if len(node.args) == 1 and not isinstance(node.args[0], ast.Constant | ast.GeneratorExp):
            edit = source.replace(node, _in_brackets(source, node.args[0]))
            yield make(source, "missing_conversion", edit, around=node, name=_called(node))


def returns_text(source: Source) -> Iterator[Fault | None]:
    """Yield results that are returned as text."""
    for node in source.walk(ast.Return):
        if isinstance(node.value, ast.Name | ast.BinOp):
            edit = source.replace(node.value, f"str({source.of(node.value)})")
            yield make(source, "returns_text", edit, around=node)


def missing_set(source: Source) -> Iterator[Fault | None]:
    """Yield lists that keep the duplicates which a set would drop."""
    for node in _calls_of(source, {"set"}):
        if len(node.args) == 1:
            edit = source.replace(node.func, "list")
            yield make(source, "missing_set", edit, around=node)


def dropped_abs(source: Source) -> Iterator[Fault | None]:
    """Yield differences whose sign is kept."""
    for node in _calls_of(source, {"abs"}):
        if len(node.args) == 1:
            edit = source.replace(node, _in_brackets(source, node.args[0]))
            yield make(source, "dropped_abs", edit, around=node)


def dropped_sort(source: Source) -> Iterator[Fault | None]:
    """Yield lists that are not sorted."""
    for node in source.walk(ast.Expr):
        match node.value:
            case ast.Call(func=ast.Attribute(value=owner, attr="sort")):
                name = source.of(owner)
                yield take_out(source, "dropped_sort", node, name=name, form="missing")
            case _:
                pass
    for call in _calls_of(source, {"sorted"}):
        if len(call.args) == 1:
            edit = source.replace(call, f"list({source.of(call.args[0])})")
            yield make(source, "dropped_sort", edit, around=call, name=source.of(call.args[0]))


def dropped_reverse(source: Source) -> Iterator[Fault | None]:
    """Yield orders that are not turned round."""
    for node in source.walk(ast.Call):
        edit = _without_keyword(source, node, "reverse")
        if edit is not None:
            yield make(source, "dropped_reverse", edit, around=node)
    for part in source.walk(ast.Subscript):
        if isinstance(part.slice, ast.Slice) and source.of(part.slice) == "::-1":
            edit = source.replace(part, source.of(part.value))
            yield make(source, "dropped_reverse", edit, around=source.parents[part])
    for call in _calls_of(source, {"reversed"}):
        if len(call.args) == 1:
            edit = source.replace(call, source.of(call.args[0]))
            yield make(source, "dropped_reverse", edit, around=source.parents[call])


def dropped_key(source: Source) -> Iterator[Fault | None]:
    """Yield sorts and choices that compare the items themselves, not what they are asked for."""
    for node in source.walk(ast.Call):
        edit = _without_keyword(source, node, "key")
        if edit is not None:
            yield make(source, "dropped_key", edit, around=node)


_METHODS = {
    "append": "extend",
    "extend": "append",
    "appendleft": "append",
    "popleft": "pop",
    "lower": "upper",
    "upper": "lower",
    "islower": "isupper",
    "isupper": "islower",
    "startswith": "endswith",
    "endswith": "startswith",
    "lstrip": "rstrip",
    "strip": "lstrip",
    "isdigit": "isalpha",
    "isalpha": "isdigit",
    "find": "rfind",
    "index": "count",
    "keys": "values",
    "values": "keys",
    "items": "values",
    "add": "discard",
    "bisect_left": "bisect_right",
    "bisect_right": "bisect_left",
    "heappush": "heapify",
    "union": "intersection",
    "intersection": "union",
    "rstrip": "lstrip",
    "match": "fullmatch",
    "difference": "union",
    "issubset": "issuperset",
    "search": "match",
    "append ": "",
}


def wrong_method(source: Source) -> Iterator[Fault | None]:
    """Yield methods and functions taken for another that does nearly the same."""
    for node in source.walk(ast.Call):
        name = _called(node)
        if _METHODS.get(name):
            end = source.end(node.func)
            edit = Edit(end - len(name), end, _METHODS[name])
            yield make(source, "wrong_method", edit, around=node, name=name)


def missing_call(source: Source) -> Iterator[Fault | None]:
    """Yield methods that are named, but not called."""
    for node in source.walk(ast.Call):
        if isinstance(node.func, ast.Attribute) and not node.args and not node.keywords:
            edit = Edit(source.end(node.func), source.end(node), "")
            yield make(
                source, "missing_call", edit, around=source.parents[node], name=source.of(node.func)
            )


def _called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _calls_of(source: Source, names: set[str]) -> Iterator[ast.Call]:
    for node in source.walk(ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in names and not node.keywords:
            yield node


def _in_brackets(source: Source, node: ast.expr) -> str:
    plain = isinstance(node, ast.Name | ast.Call | ast.Attribute | ast.Subscript)
    text = source.of(node)
    return text if plain else f"({text})"


def _without_keyword(source: Source, node: ast.Call, name: str) -> Edit | None:
    for keyword in node.keywords:
        if keyword.arg == name:
            start, end = source.start(keyword), source.end(keyword)
            before = source.text[:start].rstrip()
            if before.endswith(","):
                return Edit(len(before) - 1, end, "")
            after = source.text[end:]
            comma = len(after) - len(after.lstrip(", "))
            return Edit(start, end + comma, "")
    return None
