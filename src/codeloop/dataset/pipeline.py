"""Runs rows through stages: many at once, in the order of the input, never all in memory."""

import itertools
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codeloop.core.errors import ConfigError, ModelError, SandboxError
from codeloop.core.ordered import in_order
from codeloop.dataset.outputs import Outputs, Spool, name_of
from codeloop.dataset.records import Malformed
from codeloop.dataset.stages import (
    PASSING,
    Chosen,
    Failed,
    FailureClass,
    Gone,
    Left,
    Outcome,
    SetStage,
    Shop,
    Stage,
    StageKind,
    takes,
)

_AHEAD = 4  # rows taken for each that is worked on
_GIVE_UP = 50  # rows that fail one after the other by what is not their fault


@dataclass(slots=True)
class Tally:
    """What came of the rows that reached a stage."""

    name: str
    taken: int = 0
    made: int = 0
    past: int = 0  # rows that the stage does not select
    left: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    fresh: int = 0  # rows whose outcome was not in the store: in no file, since a resume has fewer

    def row(self) -> dict[str, Any]:
        """Return what a file says of it."""
        row = {
            "stage": self.name,
            "taken": self.taken,
            "made": self.made,
            "past": self.past,
            "left": dict(sorted(self.left.items())),
            "failed": dict(sorted(self.failed.items())),
        }
        return row | ({"seen": dict(sorted(self.seen.items()))} if self.seen else {})


@dataclass(frozen=True, slots=True)
class Shard:
    """One part of `of`: every row whose place in the input, from 0, leaves `index - 1`."""

    index: int = 1
    of: int = 1

    def takes(self, place: int) -> bool:
        return place % self.of == self.index - 1


@dataclass(frozen=True, slots=True)
class _Placed:
    """A row and its place in the input."""

    place: int
    row: Any


@dataclass(frozen=True, slots=True)
class _Done:
    """What a stage, by its number, makes of a row: known once it is kept."""

    number: int
    row: Any
    outcome: Callable[[], Outcome] | None  # None: the row went past


class Pipeline:
    """Stages one after the other; `funnel` and `malformed` count as the rows go by."""

    def __init__(self, stages: Sequence[Stage | SetStage], shop: Shop, *, in_flight: int) -> None:
        self._stages = stages
        self._shop = shop
        self._in_flight = in_flight
        self.funnel = [Tally(stage.name) for stage in stages]
        self.malformed = 0
        self.read = 0
        self._in_a_row = 0

    def run(self, rows: Iterable[Any], folder: Path, *, shard: Shard = Shard()) -> None:
        """Take rows through all stages; write what is made, and why the others are not there.

        The files of the folder are there whole at the end, or not at all.

        Raises:
            BudgetSpentError: the budget is spent; what was done is in the store.
            ModelError, SandboxError: row after row failed by a model or the sandbox.
            DataError: a file cannot be written.
        """
        with ExitStack() as stack:
            outputs = stack.enter_context(Outputs(folder, numbered=shard.of > 1))
            passing = self._read(rows, outputs, shard)
            for first, last in _segments(self._stages):
                stage = self._stages[first]
                if isinstance(stage, SetStage):
                    spool = stack.enter_context(Spool(folder, first))
                    spool.fill(passing)
                    passing = self._sifted(stage, first, spool, outputs)
                else:
                    passing = self._worked(passing, first, last, outputs)
            for each in passing:
                outputs.made(each.place, each.row)
            outputs.finish(self._summary())

    def _summary(self) -> dict[str, Any]:
        return {
            "read": self.read,
            "malformed": self.malformed,
            "stages": [tally.row() for tally in self.funnel],
        }

    def _read(self, rows: Iterable[Any], outputs: Outputs, shard: Shard) -> Iterator[_Placed]:
        for place, row in enumerate(rows):
            if not shard.takes(place):
                continue
            self.read += 1
            if isinstance(row, Malformed):
                self.malformed += 1
                outputs.lost(place, "input", row.where, "malformed", row.why)
            else:
                yield _Placed(place, row)

    def _worked(
        self, rows: Iterator[_Placed], first: int, last: int, outputs: Outputs
    ) -> Iterator[_Placed]:
        """Yield what stages that work row by row make of rows; a row goes through all of them."""
        stages = [stage for stage in self._stages[first:last] if isinstance(stage, Stage)]

        def work(placed: _Placed) -> tuple[int, list[_Done]]:
            passing: list[Any] = [placed.row]
            all_done: list[_Done] = []
            for number, stage in enumerate(stages, first):
                done = [self._begun(number, stage, row) for row in passing]
                all_done += done
                if number < last - 1:  # the last one is waited for below, not by a thread of many
                    passing = [made for each in done for made in _going(each)]
            return placed.place, all_done

        for place, all_done in in_order(work, rows, threads=self._in_flight, ahead=_AHEAD):
            for done in all_done:
                self._tell(place, done, outputs)
            for done in all_done:
                if done.number == last - 1:
                    yield from (_Placed(place, row) for row in _going(done))

    def _begun(self, number: int, stage: Stage, row: Any) -> _Done:
        return _Done(number, row, self._shop.worked_out(stage, row) if takes(stage, row) else None)

    def _tell(self, place: int, done: _Done, outputs: Outputs) -> None:
        """Count what a stage made of a row; write why it made nothing."""
        if done.outcome is None:
            self.funnel[done.number].past += 1
            return
        outcome = done.outcome()
        self._count(done.number, outcome)
        if not outcome.rows:
            self._lose(outputs, place, done.number, name_of(done.row), outcome)

    def _count(self, number: int, outcome: Outcome) -> None:
        tally = self.funnel[number]
        tally.taken += 1
        tally.made += len(outcome.rows)
        tally.fresh += outcome.fresh
        stage = self._stages[number]
        if isinstance(stage, Stage) and stage.seen is not None and outcome.failed is None:
            tally.seen[stage.seen(outcome)] += 1
        failed = outcome.failed
        if failed is None or failed.kind not in PASSING:
            self._in_a_row = 0
            return
        self._in_a_row += 1
        if self._in_a_row >= _GIVE_UP:
            kind = SandboxError if failed.kind is FailureClass.SANDBOX else ModelError
            msg = f"{_GIVE_UP} rows failed one after the other, the last by: {failed.why}"
            raise kind(msg)

    def _lose(self, outputs: Outputs, place: int, number: int, name: str, outcome: Outcome) -> None:
        tally = self.funnel[number]
        match outcome.failed or outcome.left:
            case Failed(kind, why):
                tally.failed[kind.value] += 1
                outputs.lost(place, tally.name, name, kind.value, why)
            case Left(why, note):
                tally.left[why] += 1
                outputs.left(place, tally.name, name, why, note)
            case None:
                pass

    def _sifted(
        self, stage: SetStage, number: int, spool: Spool, outputs: Outputs
    ) -> Iterator[_Placed]:
        """Yield what a stage that needs all rows makes of them, placed anew; then all others."""
        tally = self.funnel[number]
        places, past = array("q"), array("q")
        for place, row in enumerate(spool):
            (places if takes(stage, row) else past).append(place)
        taken = Chosen(spool, places)
        tally.taken = tally.fresh = len(taken)
        tally.past = len(spool) - tally.taken
        place = -1
        for place, made in enumerate(stage.work(taken)):
            if isinstance(made, Gone):
                tally.left[made.why] += 1
                outputs.left(place, tally.name, made.key, made.why, made.note)
            else:
                tally.made += 1
                yield _Placed(place, made)
        yield from map(_Placed, itertools.count(place + 1), Chosen(spool, past))


def _going(done: _Done) -> tuple[Any, ...]:
    """Return the rows that go on, once they are kept."""
    return (done.row,) if done.outcome is None else done.outcome().rows


def check_chain(
    kinds: Sequence[StageKind], stages: Sequence[Stage | SetStage], first: type
) -> None:
    """See that each stage takes what those before it make, or let past.

    Raises:
        ConfigError: one does not; names both.
    """
    coming, by = {first}, "the input"
    for kind, stage in zip(kinds, stages, strict=True):
        if kind.takes not in coming:
            made = " and ".join(sorted(each.__name__ for each in coming))
            msg = (
                f"stage {kind.name} takes records of {kind.takes.__name__}, and {by} gives those "
                f"of {made}"
            )
            raise ConfigError(msg)
        if stage.selection is None or stage.selection.takes_all:
            coming.discard(kind.takes)
        coming.add(stage.made)
        by = f"stage {kind.name}"


def _segments(stages: Sequence[Stage | SetStage]) -> Iterator[tuple[int, int]]:
    """Yield where stages begin and end that a row can go through by itself; others are alone."""
    start = 0
    while start < len(stages):
        end = start + 1
        while (
            isinstance(stages[start], Stage)
            and end < len(stages)
            and isinstance(stages[end], Stage)
        ):
            end += 1
        yield start, end
        start = end
