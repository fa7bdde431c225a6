import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.problem import Oracle
from codeloop.judge.guest.compare import ORACLES, Comparison, shown, shown_call
from codeloop.judge.guest.wire import Opaque


def accepts(actual: Any, expected: Any, *, oracle: str = "equal", atol: float = 0.0) -> bool:
    return Comparison(oracle, atol).accepts((), actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (1, True),
        (2.0, 2),
        ([1, (2, "a")], [1, (2, "a")]),
        (0.1 + 0.2, 0.3),
        ([0.1 + 0.2, 1.0], [0.3, 1.0]),
        ((0.1 + 0.2,), (0.3,)),
        (math.inf, math.inf),
        (1e9, 1e9 + 50),  # by the relative tolerance
    ],
)
def test_these_count_as_the_same(actual: Any, expected: Any) -> None:
    assert accepts(actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ([1, 2], (1, 2)),
        (None, False),
        ("1", 1),
        (0.30001, 0.3),
        (0, 1e-9),  # not of one type
        ([0.1, 0.2], [0.1, 0.2, 0.3]),
        ([0.1 + 0.2, 1], [0.3, 2]),
        ([0.1 + 0.2, "a"], [0.3, "a"]),  # no list of floats alone
        (math.nan, math.nan),
        (Opaque("generator"), 1),
        (Opaque("generator"), Opaque("generator")),
    ],
)
def test_these_do_not(actual: Any, expected: Any) -> None:
    assert not accepts(actual, expected)


def test_what_differs_in_shape_is_not_close() -> None:
    assert accepts([[1.0], [2.0 + 1e-9]], [[1.0], [2.0]], atol=1e-6)
    assert not accepts([[1.0], [2.0]], [[1.0, 1.0], [2.0, 2.0]], atol=1e-6)
    assert not accepts([1.0, [2.0]], [1.0, 2.0], atol=1e-6)


def test_the_first_float_makes_room_for_all_that_follow() -> None:
    comparison = Comparison("equal", 0.0)
    assert not comparison.accepts((), [0.1 + 0.2, 1], [0.3, 1])
    comparison.note(floats=True)
    assert comparison.accepts((), [0.1 + 0.2, 1], [0.3, 1])


@pytest.mark.parametrize("oracle", [each for each in Oracle if each is not Oracle.EQUAL])
def test_every_oracle_has_its_function(oracle: Oracle) -> None:
    assert oracle.value in ORACLES


@pytest.mark.parametrize(
    ("oracle", "arguments", "actual", "expected", "right"),
    [
        (Oracle.SAME_SET, (), (3, 1, 1), [1, 3], True),
        (Oracle.SAME_SET, (), [1], [1, 3], False),
        (Oracle.SAME_SET, (), None, [1, 3], False),
        (Oracle.NOT_NONE, (), "match", True, True),
        (Oracle.NOT_NONE, (), Opaque("Match"), True, True),
        (Oracle.NOT_NONE, (), None, True, False),
        (Oracle.NOT_NONE, (), None, False, True),
        (Oracle.NOT_NONE, (), False, True, False),
        (Oracle.ANYTHING, (), object(), 1, True),
        (Oracle.ROOT, ([-6, 11, -6, 1],), 2.0, 1.0, True),
        (Oracle.ROOT, ([-6, 11, -6, 1],), 2.5, 1.0, False),
        (Oracle.ROOT, ([-6, 11, -6, 1],), "2", 1.0, False),
        (Oracle.ZERO, (12,), 0, 16, True),
        (Oracle.ZERO, (12,), 1, 16, False),
        (Oracle.SLANT_SURFACE, (3, 4), 36, 33, False),
        (Oracle.SLANT_SURFACE, (3, 4), 9 + round(6 * math.hypot(1.5, 4)), 33, True),
        (Oracle.DIGIT_DISTANCE, (1, 23), 4, 99, True),
        (Oracle.DIGIT_DISTANCE, (1, 23), 5, 99, False),
    ],
)
def test_an_oracle_accepts_what_is_right_in_another_way(
    oracle: Oracle, arguments: Any, actual: Any, expected: Any, *, right: bool
) -> None:
    comparison = Comparison(oracle.value, 1e-6)
    assert comparison.accepts(arguments, actual, expected) is right


@given(
    st.recursive(
        st.none() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda values: (
            st.lists(values)
            | st.tuples(values, values)
            | st.dictionaries(st.text(), values)
            | st.lists(st.text()).map(frozenset)
        ),
    )
)
def test_a_small_value_is_shown_as_python_writes_it(value: Any) -> None:
    text = repr(value)
    assert shown(value, 10_000) == text if len(text) < 5000 else len(shown(value)) < 5000


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10**6,
        list(range(10**6)),
        [["y" * 300] * 100] * 100,
        pytest.param(10**10_000, id="integer"),
        {1: "z" * 10**6},
    ],
)
def test_a_large_value_is_abridged(value: Any) -> None:
    assert len(shown(value)) < 2000


def test_a_call_is_shown_as_it_is_written() -> None:
    assert shown_call((1, "a"), {"key": [2]}) == "1, 'a', key=[2]"
