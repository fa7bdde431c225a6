import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.judge.whole import Lines

TEXT = st.text("ab \n\t", max_size=30)


def normal(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


@given(TEXT, TEXT, st.integers(1, 5))
def test_a_text_is_compared_line_by_line_however_it_comes(
    expected: str, printed: str, size: int
) -> None:
    lines = Lines(expected)
    right = all(lines.feed(printed[at : at + size]) for at in range(0, len(printed), size))
    assert (right and lines.finish()) is (normal(expected) == normal(printed))


def test_the_first_difference_is_named() -> None:
    lines = Lines("1\n2\n3\n")
    assert not lines.feed("1\n4\n")
    assert lines.difference == ("line 2: 2", "line 2: 4")


def test_a_wrong_line_is_seen_before_it_ends() -> None:
    assert not Lines("12\n").feed("13")


def test_a_line_without_an_end_is_not_kept() -> None:
    lines = Lines("1\n")
    assert not all(lines.feed(" " * 1000) for _ in range(1000))


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("YES\n", "yes", True),
        ("1.0\n", "1.000001\n", True),
        ("1.0\n", "1.0001\n", False),
        ("a\n b\n", "\n\na\nb \n\n", True),
        ("a\nb\n", "a\n\nb\n", False),
        ("a\nb\n", "a\n", False),
        ("a\n", "a\nb\n", False),
        ("nan\n", "nan\n", True),
        ("1\n", "x\n", False),
        ("", "\n", True),
        ("", "0\n", False),
    ],
)
def test_a_tolerant_comparison_is_that_of_sandboxfusion(
    expected: str, actual: str, *, same: bool
) -> None:
    for step in (1, 2, len(actual)):
        lines = Lines(expected, tolerant=True)
        going = all(lines.feed(actual[at : at + step]) for at in range(0, len(actual), step))
        assert (going and lines.finish()) is same
