"""A pool whose slots are those of nodes: what one of them loses is run again on another."""

import threading
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import closing, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from codeloop.core.errors import ConfigError, DataError, SandboxError
from codeloop.core.execution import ExecutionResult
from codeloop.sandbox.pool import Program
from codeloop.sandbox.remote.link import Busy, Link, Size
from codeloop.sandbox.remote.wire import Answer, Order

_LANES = 2  # batches under way at a node: while one comes back the other keeps it busy
_BATCH = 2  # programs for each slot of a node in one request
_AHEAD = 8  # programs taken for each slot before the first result is asked for
_MOST_LOSSES = 5  # of one program, before it is blamed
_LOOKS = (0.0, 0.2, 0.8)  # seconds before each look at a node that failed us
_PAUSE_S = 2.0  # between looks at one that is dead
_CLOSED = "this pool is closed"


@dataclass(slots=True, eq=False)
class _Node:
    """A node as it is seen from here."""

    link: Link
    size: Size = Size(0, 0)
    alive: bool = False
    cause: str = ""  # why it is not


@dataclass(slots=True)
class _Task:
    """A program that somebody waits for."""

    order: Order
    future: Future[ExecutionResult] = field(default_factory=Future)
    losses: int = 0
    broken_at: set[_Node] = field(default_factory=set)  # the nodes whose sandbox failed it

    def lose(self, cause: str) -> None:
        """Note that a node did not run it, for no fault of its own as far as one can tell."""
        self.losses += 1
        if self.losses >= _MOST_LOSSES:
            _fail(self, SandboxError(f"lost {self.losses} times, the last time thus: {cause}"))


class RemotePool:
    """Runs programs on nodes; fulfils what `codeloop.sandbox.pool.Pool` does. For many threads."""

    def __init__(self, links: Sequence[Link]) -> None:
        self._nodes = [_Node(link) for link in links]
        self._changed = threading.Condition()
        self._queue: deque[_Task] = deque()
        self._closed = threading.Event()
        self._name = uuid.uuid4().hex  # of this pool, so that no two clients share an id
        self._count = 0
        for node in self._nodes:
            self._look(node)
        if not self.slots:
            raise SandboxError(self._obituary())
        self._lanes = [
            threading.Thread(target=self._work, args=(node,), name="lane", daemon=True)
            for node in self._nodes
            for _ in range(_LANES)
        ]
        for lane in self._lanes:
            lane.start()

    @property
    def slots(self) -> int:
        """The slots of all nodes that are alive."""
        return sum(node.size.slots for node in self._nodes if node.alive)

    def run(self, program: Program) -> ExecutionResult:
        """Run a program on some node.

        Raises:
            SandboxError: no node is alive, or none could run it.
            DataError: a file of the program has no plain name.
        """
        task = self._put(program)
        try:
            return task.future.result()
        finally:
            task.future.cancel()

    def run_many(self, programs: Iterable[Program]) -> Iterator[ExecutionResult]:
        """Yield each program's result, in order; programs are taken as they are needed.

        Raises:
            SandboxError: no node is alive, or none could run one of them.
            DataError: a file of a program has no plain name.
        """
        waiting: deque[_Task] = deque()
        try:
            for program in programs:
                waiting.append(self._put(program))
                while len(waiting) >= max(1, _AHEAD * self.slots):
                    yield waiting.popleft().future.result()
            while waiting:
                yield waiting.popleft().future.result()
        finally:
            for task in waiting:
                task.future.cancel()

    def close(self) -> None:
        """Stop waiting for anything, and cut all connections."""
        self._closed.set()
        with self._changed:
            self._fail_if_forsaken()
            self._changed.notify_all()
        for node in self._nodes:
            node.link.close()
        for lane in self._lanes:
            lane.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _put(self, program: Program) -> _Task:
        self._require_one()
        with self._changed:
            self._count += 1
            task = _Task(Order(f"{self._name}-{self._count}", program))
            self._queue.append(task)
            self._fail_if_forsaken()
            self._changed.notify()
        return task

    def _require_one(self) -> None:
        """Look at dead nodes if there are no others.

        Raises:
            SandboxError: they are dead still, or the pool is closed.
        """
        if self._closed.is_set():
            raise SandboxError(_CLOSED)
        if not any(node.alive for node in self._nodes) and not any(map(self._look, self._nodes)):
            raise SandboxError(self._obituary())

    def _work(self, node: _Node) -> None:
        """Be a lane: take programs to a node while it lives, look for it while it does not."""
        while not self._closed.is_set():
            if not node.alive:
                self._closed.wait(_PAUSE_S)
                self._look(node)
                continue
            tasks = self._take(node)
            failure, pause_s = "", 0.0
            try:
                pause_s = self._carry(node, tasks) if tasks else 0.0
            except SandboxError as error:
                failure = str(error)
            except Exception as error:  # noqa: BLE001  a bug: let it be raised where it is noticed
                for task in tasks.values():
                    _fail(task, error)
            self._give_back(tasks, failure)
            if failure:
                self._doubt(node)
            with self._changed:
                self._fail_if_forsaken()
            self._closed.wait(pause_s)

    def _take(self, node: _Node) -> dict[str, _Task]:
        """Wait for programs; return a fair share of them, if they are not others' by then."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._closed.is_set()
                    or not node.alive
                    or any(self._suits(node, task) for task in self._queue)
                )
            )
            lanes = _LANES * sum(each.alive for each in self._nodes) or 1
            share = min(_BATCH * node.size.slots, node.size.room, -(-len(self._queue) // lanes))
            taken: dict[str, _Task] = {}
            passed_over: list[_Task] = []
            while self._queue and len(taken) < share and node.alive and not self._closed.is_set():
                task = self._queue.popleft()
                if not self._suits(node, task):
                    passed_over.append(task)
                elif not task.future.done():  # or nobody waits for it any more
                    taken[task.order.id] = task
            self._queue.extendleft(reversed(passed_over))
            return taken

    def _suits(self, node: _Node, task: _Task) -> bool:
        """Return whether a node should have a program: not where it failed, if there are others."""
        return node not in task.broken_at or all(
            each in task.broken_at for each in self._nodes if each.alive
        )

    def _carry(self, node: _Node, tasks: dict[str, _Task]) -> float:
        """Have a node run programs; return how many seconds to leave it alone.

        Raises:
            SandboxError: it failed.
        """
        unanswered = dict(tasks)
        with closing(node.link.send([task.order for task in tasks.values()])) as answers:
            for answer in answers:
                match answer:
                    case Busy(pause_s, draining):
                        if draining:
                            self._bury(node, f"node {node.link.name} is draining")
                        return pause_s
                    case Answer():
                        self._settle(node, unanswered, answer)
                    case None:
                        pass
                if unanswered and all(task.future.done() for task in unanswered.values()):
                    return 0.0  # nobody waits any more: hanging up tells the node
        if unanswered:
            msg = f"node {node.link.name} ended before it had answered"
            raise SandboxError(msg)
        return 0.0

    def _settle(self, node: _Node, unanswered: dict[str, _Task], answer: Answer) -> None:
        """Hand an answer to who waits for it; what has no result stays to be given back."""
        task = unanswered.pop(answer.id, None)
        if task is None:
            msg = f"node {node.link.name} answers what it was not asked"
            raise SandboxError(msg)
        if answer.result is not None:
            with suppress(InvalidStateError):  # nobody waits any more
                task.future.set_result(answer.result)
        elif answer.refused:
            _fail(task, DataError(answer.refused))
        elif answer.returned:
            self._bury(node, f"node {node.link.name} is draining")
        else:
            task.broken_at.add(node)
            task.lose(f"node {node.link.name}: {answer.broken}")
            self._look(node)  # it says itself when it is no good any more

    def _give_back(self, tasks: dict[str, _Task], failure: str) -> None:
        """Put programs without a result back to the front, for whichever node comes first."""
        left = [task for task in tasks.values() if not task.future.done()]
        for task in left:
            if failure:
                task.lose(failure)
        with self._changed:
            self._queue.extendleft(reversed([task for task in left if not task.future.done()]))
            self._changed.notify_all()

    def _doubt(self, node: _Node) -> None:
        """Find out whether a node that failed is dead."""
        for pause_s in _LOOKS:
            if self._closed.wait(pause_s) or self._look(node):
                return

    def _look(self, node: _Node) -> bool:
        """See whether a node is alive."""
        try:
            size = node.link.look()
        except SandboxError as error:
            self._bury(node, str(error))
            return False
        with self._changed:
            node.size, node.alive, node.cause = size, True, ""
            self._changed.notify_all()
        return True

    def _bury(self, node: _Node, cause: str) -> None:
        with self._changed:
            node.alive, node.cause = False, cause
            self._changed.notify_all()

    def _fail_if_forsaken(self) -> None:
        """Tell all who wait that there is no node; the lock is held."""
        if self._closed.is_set() or not any(node.alive for node in self._nodes):
            text = _CLOSED if self._closed.is_set() else self._obituary()
            while self._queue:
                _fail(self._queue.popleft(), SandboxError(text))

    def _obituary(self) -> str:
        return "no node is alive: " + "; ".join(node.cause for node in self._nodes)


def open_nodes(urls: Sequence[str], *, token: str = "") -> RemotePool:
    """Return a pool over the nodes at these URLs, to be closed or used in a `with` statement.

    Raises:
        ConfigError: there is none, or one is not a URL.
        SandboxError: none of them is alive.
    """
    if not urls:
        msg = "a pool of nodes needs the URL of one"
        raise ConfigError(msg)
    return RemotePool([Link(url, token, connections=_LANES + 1) for url in urls])


def _fail(task: _Task, error: Exception) -> None:
    with suppress(InvalidStateError):  # nobody waits any more
        task.future.set_exception(error)
