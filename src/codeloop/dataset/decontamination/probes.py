"""Calls whose answer is known, by which a function is tried before its problem's tests are."""

import ast
import marshal
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from codeloop.core.problem import (
    CheckTests,
    FunctionTests,
    PackedTests,
    Problem,
    Tests,
)
from codeloop.judge.packing import examples

_MOST = 3  # of a problem
_LOOKED_AT = 40  # calls of which they are chosen
_VARIED = 24  # inputs made of a call
_LONGEST = 2000  # characters, as Python writes a call and its answer


@dataclass(frozen=True, slots=True)
class Probe:
    """A call by its arguments, and what comes back."""

    arguments: tuple[Any, ...]
    answer: Any


def probes(problem: Problem) -> tuple[Probe, ...]:
    """Return a few calls of a problem's function, with answers that differ if there are any."""
    seen: dict[str, Probe] = {}
    others: list[Probe] = []
    for count, each in enumerate(_known(problem)):
        if count >= _LOOKED_AT or len(seen) >= _MOST:
            break
        if not _is_plain(each) or len(repr((each.arguments, each.answer))) > _LONGEST:
            continue
        key = repr(each.answer)
        if key in seen:
            others.append(each)
        else:
            seen[key] = each
    return (*seen.values(), *others)[:_MOST]


def _is_plain(probe: Probe) -> bool:
    """Whether it can be sent to where our own classes are not known."""
    try:
        marshal.dumps((probe.arguments, probe.answer))
    except ValueError:
        return False
    return True


def _known(problem: Problem) -> Iterator[Probe]:
    for tests in (*problem.tests, *problem.visible, *problem.hidden):
        yield from _of_tests(tests, problem.entry_point)


def _of_tests(tests: Tests, name: str) -> Iterator[Probe]:
    match tests:
        case PackedTests():
            for arguments, answer in examples(tests):
                yield Probe(arguments, answer)
        case FunctionTests(inputs=inputs, expected=expected) if expected is not None:
            for arguments, answer in zip(inputs, expected, strict=True):
                yield Probe(tuple(arguments), answer)
        case CheckTests(source=source):
            yield from _asserted(source, name)
        case _:
            pass


def _asserted(source: str, name: str) -> Iterator[Probe]:
    """Yield what asserts say of calls with literals: `assert f(1) == 2`."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        match node:
            case ast.Assert(
                test=ast.Compare(
                    left=ast.Call(func=ast.Name(id=called), args=args, keywords=[]),
                    ops=[ast.Eq()],
                    comparators=[right],
                )
            ) if called in {name, "candidate"}:
                try:
                    yield Probe(tuple(map(ast.literal_eval, args)), ast.literal_eval(right))
                except (ValueError, TypeError, SyntaxError):
                    continue
            case ast.Assert(test=ast.Call(func=ast.Name(id=called), args=args, keywords=[])) if (
                called in {name, "candidate"}
            ):
                try:
                    yield Probe(tuple(map(ast.literal_eval, args)), True)
                except (ValueError, TypeError, SyntaxError):
                    continue


def variations(known: Sequence[Probe], dice: random.Random) -> Iterator[tuple[Any, ...]]:
    """Yield arguments that are like known ones, of the same types, each a little different."""
    for each in known:
        for _ in range(_VARIED):
            yield tuple(_varied(value, dice) for value in each.arguments)


def _varied(value: Any, dice: random.Random) -> Any:
    match value:
        case bool():
            return dice.random() < 0.5  # noqa: PLR2004  either
        case int():
            return max(0, value + dice.choice([-2, -1, 0, 1, 2, 3, value])) if value >= 0 else value
        case float():
            return value * dice.choice([0.5, 1.0, 2.0])
        case str():
            return "".join(_shuffled(list(value), dice))
        case list() | tuple():
            return type(value)(_varied(item, dice) for item in _shuffled(list(value), dice))
        case _:
            return value


def _shuffled(items: list[Any], dice: random.Random) -> list[Any]:
    """Return items with one left out, said twice, or in another place."""
    copy = list(items)
    if not copy:
        return copy
    at, to = dice.randrange(len(copy)), dice.randrange(len(copy))
    match dice.randrange(3):
        case 0:
            copy[at], copy[to] = copy[to], copy[at]
        case 1:
            copy.insert(to, copy[at])
        case _:
            del copy[at]
    return copy
