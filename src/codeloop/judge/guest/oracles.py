"""What is right besides the expected value, for problems whose answer is not unique.

They are those of evalplus, under the names of `core.problem.Oracle`. Each is asked only about an
answer that does not equal the expected one; one that raises accepts nothing.
"""

import math
from collections.abc import Callable
from typing import Any


def _same_set(_: Any, actual: Any, expected: Any, __: float) -> bool:
    return bool(set(actual) == set(expected))


def _not_none(_: Any, actual: Any, expected: Any, __: float) -> bool:
    return type(actual) is not bool and bool(expected == (actual is not None))


def _anything(*_: object) -> bool:
    return True


def _root(arguments: Any, actual: Any, _: Any, atol: float) -> bool:
    terms = [factor * math.pow(actual, power) for power, factor in enumerate(arguments[0])]
    return bool(abs(sum(terms)) <= atol)


def _zero(_: Any, actual: Any, __: Any, ___: float) -> bool:
    return bool(actual == 0)


def _slant_surface(arguments: Any, actual: Any, _: Any, atol: float) -> bool:
    edge, height = arguments
    slant = math.sqrt((edge / 2) ** 2 + height**2)
    return bool(abs(actual - round(edge**2 + 4 * (edge * slant) / 2)) <= atol)


def _digit_distance(arguments: Any, actual: Any, _: Any, __: float) -> bool:
    one, other = map(str, arguments)
    width = max(len(one), len(other))
    pairs = zip(one.zfill(width), other.zfill(width), strict=True)
    return bool(actual == sum(abs(int(a) - int(b)) for a, b in pairs))


ORACLES: dict[str, Callable[[Any, Any, Any, float], bool]] = {
    "same_set": _same_set,
    "not_none": _not_none,
    "anything": _anything,
    "root": _root,
    "zero": _zero,
    "slant_surface": _slant_surface,
    "digit_distance": _digit_distance,
}
