"""Work done by several threads, its results given in the order of what they are made from."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_AHEAD = 4  # items taken for each thread before the first result is asked for

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def in_order(
    work: Callable[[_In], _Out], items: Iterable[_In], *, threads: int, ahead: int = _AHEAD
) -> Iterator[_Out]:
    """Yield what becomes of each item, in order; `items` are taken a few a thread ahead.

    Closing the iterator lets what is under way end, and begins nothing more.
    """
    waiting: deque[Future[_Out]] = deque()
    with ThreadPoolExecutor(threads, "in-order") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= ahead * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()
