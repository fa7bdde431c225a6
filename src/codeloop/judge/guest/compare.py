"""What counts as the same value, by evalplus's rules, and values in few words."""

import math
from collections.abc import Callable
from typing import Any

RTOL = 1e-7
FLOAT_ATOL = 1e-6
SHOWN_CHARS = 400

_NUMBERS = frozenset({bool, int, float, complex})
_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("{", "}"),
    dict: ("{", "}"),
}
_LONG_INT_BITS = 1200


class Comparison:
    """Compares answers with what is expected, one after the other, in order.

    As in evalplus, floats may differ a little from the first expected value on that is a float,
    or a list or tuple of floats, and then for all that follow.
    """

    def __init__(self, oracle: str, atol: float) -> None:
        self._oracle = ORACLES.get(oracle)
        self._atol = atol

    def note(self, *, floats: bool) -> None:
        """Take in whether an expected value is one of floats."""
        if self._atol == 0 and floats:
            self._atol = FLOAT_ATOL

    def accepts(self, arguments: Any, actual: Any, expected: Any) -> bool:
        """Return whether an answer is right: plain data, of which no code is the enemy's."""
        atol = self._atol
        self.note(floats=is_floats(expected))
        try:
            if bool(actual == expected):
                return True
            if self._oracle is not None and self._oracle(arguments, actual, expected, atol):
                return True
            return (
                self._atol != 0
                and type(actual) is type(expected)
                and _close(actual, expected, self._atol)
            )
        except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError):
            return False


def is_floats(value: Any) -> bool:
    """Whether a value is a float, or a list, tuple or array of floats alone."""
    if isinstance(value, float):
        return True
    if isinstance(value, list | tuple) and value:
        return all(isinstance(each, float) for each in value)
    return type(value).__name__ == "ndarray" and value.dtype.name in {"float32", "float64"}


def _close(actual: Any, expected: Any, atol: float) -> bool:
    """Whether numbers, in lists and tuples of one shape, are close as for `numpy.allclose`."""
    if isinstance(expected, list | tuple):
        return (
            isinstance(actual, list | tuple)
            and len(actual) == len(expected)
            and all(map(_close, actual, expected, [atol] * len(expected)))
        )
    if type(expected).__name__ == "ndarray":
        return actual.shape == expected.shape and _close(actual.tolist(), expected.tolist(), atol)
    if isinstance(actual, list | tuple):
        return False
    return bool(actual == expected or abs(actual - expected) <= atol + RTOL * abs(expected))


def shown(value: Any, room: int = SHOWN_CHARS) -> str:
    """Return a value as Python writes it, abridged to about `room` characters."""
    kind = type(value)
    if kind is str or kind is bytes:
        return repr(value) if len(value) <= room else f"{value[:room]!r}... ({len(value)} in all)"
    if kind is int and value.bit_length() > _LONG_INT_BITS:
        return f"<an integer of {value.bit_length()} bits>"
    if kind not in _BRACKETS:
        return repr(value)[:room]
    parts: list[str] = []
    for item in value.items() if kind is dict else value:
        if room <= 0:
            parts.append(f"... ({len(value)} in all)")
            break
        part = (
            f"{shown(item[0], room)}: {shown(item[1], room)}" if kind is dict else shown(item, room)
        )
        parts.append(part)
        room -= len(part) + 2
    if not value and kind in {set, frozenset}:
        return "set()" if kind is set else "frozenset()"
    left, right = _BRACKETS[kind]
    comma = "," if kind is tuple and len(value) == 1 else ""
    text = f"{left}{', '.join(parts)}{comma}{right}"
    return f"frozenset({text})" if kind is frozenset else text


def shown_call(arguments: Any, keywords: dict[str, Any]) -> str:
    """Return the arguments of a call as they are written."""
    named = [f"{name}={shown(value)}" for name, value in keywords.items()]
    return ", ".join([*map(shown, arguments), *named])


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


# What is right besides the expected value, where the answer is not unique: evalplus's rules, under
# the names of `core.problem.Oracle`. Each is asked only about an answer that does not equal the
# expected one; one that raises accepts nothing.
ORACLES: dict[str, Callable[[Any, Any, Any, float], bool]] = {
    "same_set": _same_set,
    "not_none": _not_none,
    "anything": _anything,
    "root": _root,
    "zero": _zero,
    "slant_surface": _slant_surface,
    "digit_distance": _digit_distance,
}
