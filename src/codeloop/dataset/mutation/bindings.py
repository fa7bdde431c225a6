"""Faults of names and of what they are bound to: misspelt, not imported, one list for two."""

import ast
import builtins
from collections.abc import Iterator

from codeloop.dataset.mutation.faults import Fault, make, take_out
from codeloop.dataset.mutation.source import Edit, Function, Source

_SHORTEST = 3  # letters of a name that one may mistype


def misspelt_name(source: Source) -> Iterator[Fault | None]:
    """Yield variables with a letter lost, or two swapped."""
    bound = _bound(source)
    for node in source.walk(ast.Name):
        if isinstance(node.ctx, ast.Load) and node.id in bound:
            for typo in _typos(node.id, source):
                edit = source.replace(node, typo)
                yield make(source, "misspelt_name", edit, name=node.id)


def misspelt_method(source: Source) -> Iterator[Fault | None]:
    """Yield methods with a letter lost, or two swapped."""
    for node in source.walk(ast.Call):
        if isinstance(node.func, ast.Attribute):
            name = node.func.attr
            end = source.end(node.func)
            for typo in _typos(name, source):
                edit = Edit(end - len(name), end, typo)
                yield make(source, "misspelt_method", edit, around=node.func, name=name)


def missing_import(source: Source) -> Iterator[Fault | None]:
    """Yield programs that use a module which they do not import."""
    for node in source.tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            form = "module" if isinstance(node, ast.Import) else "names"
            names = ", ".join(each.asname or each.name for each in node.names)
            yield take_out(source, "missing_import", node, name=names, form=form)


def missing_self(source: Source) -> Iterator[Fault | None]:
    """Yield methods without `self`: where they are defined, or where they are called."""
    for node in source.walk(ast.Call):
        match node.func:
            case ast.Attribute(value=ast.Name(id="self") as owner, attr=name):
                edit = Edit(source.start(owner), source.end(node.func) - len(name), "")
                yield make(source, "missing_self", edit, around=node, name=name, form="call")
            case _:
                pass
    for function in source.functions():
        arguments = function.args.args
        if len(arguments) > 1 and arguments[0].arg == "self":
            edit = Edit(source.start(arguments[0]), source.start(arguments[1]), "")
            yield make(source, "missing_self", edit, name=function.name, form="definition")


def missing_nonlocal(source: Source) -> Iterator[Fault | None]:
    """Yield inner functions that assign to a variable as if it was their own."""
    for node in source.walk(ast.Nonlocal):
        name = ", ".join(node.names)
        yield take_out(source, "missing_nonlocal", node, name=name)


def wrong_variable(source: Source) -> Iterator[Fault | None]:
    """Yield places where another variable of the same function is used."""
    for function in source.functions():
        counters = _counters(function)
        arguments = [each.arg for each in function.args.args if each.arg != "self"]
        for group in (counters, arguments):
            for node in ast.walk(function):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                    others = [name for name in group if name != node.id]
                    if node.id in group and others:
                        edit = source.replace(node, others[0])
                        around = source.parents[node]
                        yield make(source, "wrong_variable", edit, around=around, name=node.id)


def _counters(function: Function) -> list[str]:
    """Return what the `for` loops of a function count with."""
    targets = [node.target for node in ast.walk(function) if isinstance(node, ast.For)]
    names = [
        node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)
    ]
    return list(dict.fromkeys(name for name in names if name != "_"))


def _bound(source: Source) -> frozenset[str]:
    """Return the names that functions bind: their arguments, and what they assign to."""
    names = {
        node.id
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    names |= {node.arg for node in ast.walk(source.tree) if isinstance(node, ast.arg)}
    return frozenset(names - {"self", "cls"})


def _typos(name: str, source: Source) -> Iterator[str]:
    """Yield ways to mistype a name that are no names already: a letter lost, two swapped."""
    if len(name) < _SHORTEST or name.startswith("__"):
        return
    middle = len(name) // 2
    lost = name[:middle] + name[middle + 1 :]
    swapped = name[: middle - 1] + name[middle] + name[middle - 1] + name[middle + 1 :]
    plural = name[:-1] if name.endswith("s") else f"{name}s"
    for typo in (lost, swapped, plural):
        known = typo in source.names or hasattr(builtins, typo)
        if typo != name and not known and typo.isidentifier():
            yield typo


_EMPTY = frozenset({"[]", "{}", "set()", "list()", "dict()"})


def mutable_default(source: Source) -> Iterator[Fault | None]:
    """Yield functions whose list is made once, as a default, and kept from call to call."""
    for function in source.functions():
        plain = not (function.args.kwonlyargs or function.args.vararg or function.args.kwarg)
        if not function.args.args or not plain or source.function_of(function) is not None:
            continue
        for node in function.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    if source.of(value) in _EMPTY:
                        yield _as_default(source, function, node, f"{name}={source.of(value)}")
                case _:
                    pass


def _as_default(source: Source, function: Function, node: ast.Assign, default: str) -> Fault | None:
    gone = source.without(node)
    last = function.args.args[-1]
    after = source.end(function.args.defaults[-1] if function.args.defaults else last)
    text = source.of(node)
    if gone is None or "`" in text or len(function.body) == 1:
        return None
    put = Edit(after, after, f", {default}")
    name = default.partition("=")[0]
    return Fault("mutable_default", (put, gone), function.lineno, text, default, name=name)


def alias(source: Source) -> Iterator[Fault | None]:
    """Yield lists that are the same list, where a copy is meant."""
    for node in source.walk(ast.Subscript):
        if isinstance(node.ctx, ast.Load) and source.text[: source.end(node)].endswith("[:]"):
            edit = source.replace(node, source.of(node.value))
            around, name = source.parents[node], source.of(node.value)
            yield make(source, "alias", edit, around=around, name=name)
    for call in source.walk(ast.Call):
        match call:
            case ast.Call(func=ast.Attribute(value=owner, attr="copy"), args=[], keywords=[]):
                edit = source.replace(call, source.of(owner))
                around, name = source.parents[call], source.of(owner)
                yield make(source, "alias", edit, around=around, name=name)
            case ast.Call(func=ast.Name(id="list"), args=[ast.Name(id=name)], keywords=[]):
                edit = source.replace(call, name)
                yield make(
                    source, "alias", edit, around=source.parents[call], name=name, form="list"
                )
            case _:
                pass


def shared_rows(source: Source) -> Iterator[Fault | None]:
    """Yield tables whose rows are all the same list."""
    for node in source.walk(ast.ListComp):
        match node:
            case ast.ListComp(
                elt=ast.List() | ast.BinOp(left=ast.List()),
                generators=[
                    ast.comprehension(
                        iter=ast.Call(func=ast.Name(id="range"), args=[count]), ifs=[]
                    )
                ],
            ):
                times = source.of(count)
                if not isinstance(count, ast.Name | ast.Constant | ast.Call):
                    times = f"({times})"
                edit = source.replace(node, f"[{source.of(node.elt)}] * {times}")
                yield make(source, "shared_rows", edit, around=node)
            case _:
                pass
