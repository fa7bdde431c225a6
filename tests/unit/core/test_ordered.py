"""Work by threads: results in order, the heaviest item first, nothing begun after the end."""

import threading
from collections.abc import Generator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.ordered import in_order


@given(st.lists(st.integers(0, 9)), st.integers(1, 3), st.integers(1, 3))
def test_results_come_in_the_order_of_the_items(items: list[int], threads: int, ahead: int) -> None:
    done = in_order(lambda each: 2 * each, items, threads=threads, ahead=ahead, weight=float)
    assert list(done) == [2 * each for each in items]


def test_of_what_is_taken_the_heaviest_is_begun_first() -> None:
    all_taken, begun = threading.Event(), list[int]()

    def items() -> Iterator[int]:
        yield from (0, 3, 1, 5, 2, 5)
        all_taken.set()

    def work(item: int) -> int:
        assert all_taken.wait(10)
        begun.append(item)
        return item

    assert list(in_order(work, items(), threads=1, ahead=10, weight=float)) == [0, 3, 1, 5, 2, 5]
    assert begun == [0, 5, 5, 3, 2, 1]


def test_what_fails_is_raised_where_its_result_would_be() -> None:
    results = in_order(lambda each: 1 // each, [1, 0, 1], threads=2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_once_it_is_closed_nothing_more_is_begun() -> None:
    begun, closing = list[int](), threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        assert item == 0 or closing.wait(10)

    results = in_order(work, range(100), threads=1, ahead=50)
    assert isinstance(results, Generator)
    next(results)
    threading.Timer(1.0, closing.set).start()  # once it has been closed
    results.close()
    assert begun in ([0], [0, 1])
