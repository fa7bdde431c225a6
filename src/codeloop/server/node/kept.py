"""Results kept by the id they were ordered under, so that an order can safely be sent again."""

import hashlib
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass

from codeloop.core.execution import MIB, ExecutionResult
from codeloop.sandbox.remote.wire import Order, encode_order

Run = Future[ExecutionResult]


@dataclass(slots=True)
class _Entry:
    digest: bytes  # of the order
    run: Run
    wanted_by: int = 1  # requests that wait for it
    kept_bytes: int = 0  # once it is done


class Kept:
    """Orders under way, and as many of those done as there is room for. Belongs to one thread."""

    def __init__(self, *, most: int = 4096, most_bytes: int = 256 * MIB) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._orphans: list[str] = []  # ids of runs under way that nobody waits for

    def find(self, order: Order) -> Run | None:
        """Return the run of an order that came before, which is now wanted once more, or None.

        Raises:
            ValueError: under that id another program was ordered.
        """
        entry = self._entries.get(order.id)
        if entry is None:
            return None
        if entry.digest != _digest(order):
            msg = f"{order.id}: this id belongs to another program"
            raise ValueError(msg)
        entry.wanted_by += 1
        return entry.run

    def keep(self, order: Order, run: Run) -> None:
        """Remember the run of a new order, which is wanted once."""
        self._entries[order.id] = _Entry(_digest(order), run)
        orphans, self._orphans = self._orphans, []
        for id_ in orphans:
            self._settle(id_)

    def let_go(self, order: Order, run: Run) -> None:
        """Say that a request waits no longer: what nobody waits for and has not begun is dropped.

        What failed is forgotten, so that the same order is run anew.
        """
        entry = self._entries.get(order.id)
        if entry is None or entry.run is not run:
            return
        entry.wanted_by -= 1
        if not entry.wanted_by:
            entry.run.cancel()
        self._settle(order.id)

    def _settle(self, id_: str) -> None:
        """Forget a run that came to nothing; weigh one that is done; watch one that is forsaken."""
        entry = self._entries.get(id_)
        if entry is None:
            return
        if not entry.run.done():
            if not entry.wanted_by:
                self._orphans.append(id_)
        elif entry.run.cancelled() or entry.run.exception() is not None:
            self._forget(id_)
        elif not entry.kept_bytes:
            result = entry.run.result()
            entry.kept_bytes = 1 + len(result.stdout.text) + len(result.stderr.text)
            self._bytes += entry.kept_bytes
            self._make_room()

    def _make_room(self) -> None:
        if len(self._entries) <= self._most and self._bytes <= self._most_bytes:
            return
        old = [id_ for id_, each in self._entries.items() if each.kept_bytes and not each.wanted_by]
        for id_ in old:
            if len(self._entries) <= self._most and self._bytes <= self._most_bytes:
                break
            self._forget(id_)

    def _forget(self, id_: str) -> None:
        self._bytes -= self._entries.pop(id_).kept_bytes


def _digest(order: Order) -> bytes:
    return hashlib.sha256(encode_order(order)).digest()
