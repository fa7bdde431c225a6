"""Work done by several threads, its results given in the order of what they are made from."""

import heapq
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_AHEAD = 4  # items taken for each thread before the first result is asked for

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def in_order(
    work: Callable[[_In], _Out],
    items: Iterable[_In],
    *,
    threads: int,
    ahead: int = _AHEAD,
    weight: Callable[[_In], float] = lambda _: 0.0,
) -> Iterator[_Out]:
    """Yield what becomes of each item, in order; `items` are taken a few a thread ahead.

    Of those that are taken the heaviest is begun first, so that no thread is left with a long one
    when the others are done. Closing the iterator lets what is under way end, and begins nothing
    more.
    """
    taken: list[tuple[float, int, _In, Future[_Out]]] = []
    taking = threading.Lock()

    def work_on_one() -> None:
        with taking:
            *_, item, future = heapq.heappop(taken)
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(work(item))
            except BaseException as error:  # noqa: BLE001  it is raised where the result is asked for
                future.set_exception(error)

    waiting: deque[Future[_Out]] = deque()
    with ThreadPoolExecutor(threads, "in-order") as pool:
        try:
            for number, item in enumerate(items):
                waiting.append(Future())
                with taking:
                    heapq.heappush(taken, (-weight(item), number, item, waiting[-1]))
                pool.submit(work_on_one)
                if len(waiting) >= ahead * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()
