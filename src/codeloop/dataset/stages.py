"""The parts of making a dataset: a stage is a function of a row, run once for each content."""

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, Self, overload

from codeloop.core.dialogue import Usage
from codeloop.core.errors import (
    ContextOverflowError,
    ModelError,
    SandboxError,
    UnavailableError,
)
from codeloop.core.records import from_json, to_json
from codeloop.dataset.failure import Failure, FailureKind
from codeloop.dataset.keys import digest
from codeloop.dataset.means import Means, Surroundings
from codeloop.dataset.outputs import name_of
from codeloop.dataset.store import Entry, Store, Table

_DIGITS = 13  # hexadecimal ones of a draw: as fine as a float
FORMAT = 1  # a part of every key: a change of what a key is made of is a new format


class FailureClass(StrEnum):
    """What kept a row from an outcome. What failed is counted, and never passed on."""

    REFUSED = "refused"  # the model, or its endpoint's filter, would not
    EMPTY = "empty"  # the model said nothing
    PARSE = "parse"  # its reply does not have the form that was asked for
    LENGTH = "length"  # too long for the model, or cut off
    HTTP = "http"  # the endpoint was busy, late, or broke off
    MODEL = "model"  # the call failed for good: a wrong name, key or address
    SANDBOX = "sandbox"  # our sandbox broke


# where asking the same again would only give the same reply
_ASKS_ANEW = frozenset(
    {FailureClass.REFUSED, FailureClass.EMPTY, FailureClass.PARSE, FailureClass.LENGTH}
)
# what may go well on another day; tried again when a run is started again
PASSING = frozenset({FailureClass.HTTP, FailureClass.MODEL, FailureClass.SANDBOX})

RETRIES: Mapping[FailureClass, int] = {
    FailureClass.REFUSED: 1,
    FailureClass.EMPTY: 1,
    FailureClass.PARSE: 2,
    FailureClass.LENGTH: 0,
    FailureClass.HTTP: 3,
    FailureClass.MODEL: 0,
    FailureClass.SANDBOX: 1,
}


class RowError(Exception):
    """Raised by a stage's work where a row has no outcome: what failed, in words."""

    def __init__(self, kind: FailureClass, why: str) -> None:
        super().__init__(why)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Left:
    """A row that a stage takes out on purpose; `why` is a short word that is counted."""

    why: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A row that a stage has no outcome for."""

    kind: FailureClass
    why: str


class Work(Protocol):
    """A function of a row: its outcomes, which are records that go on, or `Left`.

    It may raise RowError, ModelError and SandboxError; the row is tried again then as often as
    its kind of failure allows. Random choices come from `means.chooser`.
    """

    def __call__(self, row: Any, means: Means, /) -> Iterable[Any]: ...


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows of one kind of record, a share of them, and those of some languages alone.

    The draw of a row follows from its content and is the same for all stages: a smaller share
    is a part of a larger one, and rows that were drawn stay so when the share grows.
    """

    kind: type
    share: float = 1.0
    languages: tuple[str, ...] = ()

    @property
    def takes_all(self) -> bool:
        """Whether no row of the kind goes past."""
        return self.share == 1 and not self.languages

    def takes(self, row: Any) -> bool:
        """Return whether a row is taken."""
        if not isinstance(row, self.kind):
            return False
        if self.languages and getattr(row, "language", "") not in self.languages:
            return False
        return self.share == 1 or draw(name_of(row)) < self.share


def draw(name: str) -> float:
    """Return the number from 0 to 1 that is drawn for a row by what names it."""
    return int(digest(["draw", name])[:_DIGITS], 16) / float(1 << 4 * _DIGITS)


@dataclass(frozen=True, slots=True)
class Stage:
    """A function of a row. `made` is the kind of records that it makes.

    `version` changes when the same row may give something else by a change of the code.
    `settings` are a record, or JSON values; `roles` are the models that it asks, and count as
    settings too. `calls` is about how many calls a row takes, for an estimate. What `selection`
    does not take goes past the stage; without one, all rows are taken. `seen` is a word by which
    an outcome is counted besides.
    """

    name: str
    version: str
    work: Work
    made: type
    settings: Any = None
    roles: tuple[str, ...] = ()
    calls: int = 0
    selection: Selection | None = None
    seen: "Callable[[Outcome], str] | None" = None

    def owner(self, surroundings: Surroundings) -> str:
        """Return what names this stage in a store: name, version, digest of its settings."""
        asked = [surroundings.describe(role) for role in self.roles]
        return f"{self.name} {self.version} {digest([FORMAT, to_json(self.settings), asked])}"


@dataclass(frozen=True, slots=True)
class SetStage:
    """A function of all rows, such as dedup: worked out anew each time, so it asks no model.

    `work` is given the rows, which it may go through as often as it likes, or look up by place:
    they are read as they are asked for, so that it need not hold them. It yields for each that it
    is done with either a record that goes on or `Gone`. Its order must follow from the rows alone.
    """

    name: str
    version: str
    work: Callable[[Sequence[Any]], Iterator[Any]]
    made: type
    settings: Any = None
    selection: Selection | None = None


class Chosen(Sequence[Any]):
    """Some of other rows, by their places there: looked up as they are asked for."""

    def __init__(self, rows: Sequence[Any], places: Sequence[int]) -> None:
        self._rows = rows
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> Any: ...
    @overload
    def __getitem__(self, at: slice) -> Self: ...
    def __getitem__(self, at: int | slice) -> Any:
        if isinstance(at, slice):
            return type(self)(self._rows, self._places[at])
        return self._rows[self._places[at]]


def takes(stage: Stage | SetStage, row: Any) -> bool:
    """Return whether a row is for a stage, and does not go past it."""
    return stage.selection is None or stage.selection.takes(row)


@dataclass(frozen=True, slots=True)
class Gone:
    """A row that a `SetStage` takes out: its key, and why."""

    key: str
    why: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class StageKind:
    """A stage by its name: the records that it takes, its settings, how it is built of them."""

    name: str
    takes: type
    settings: type
    build: Callable[[Any, Surroundings], Stage | SetStage]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row in a stage: records that go on, why it left, or how it failed.

    `usage` is what its calls took, whenever they were made.
    """

    rows: tuple[Any, ...] = ()
    left: Left | None = None
    failed: Failed | None = None
    usage: Usage = Usage()
    fresh: bool = False  # not from the store


class Shop:
    """Where stages work on rows: what they are given, and how often a failure is tried again.

    A failure of a class in `again` that a former run ended with is tried again, once in a run.
    """

    def __init__(
        self,
        store: Store,
        surroundings: Surroundings,
        *,
        retries: Mapping[FailureClass, int] = RETRIES,
        again: frozenset[FailureClass] = PASSING,
    ) -> None:
        self._store = store
        self._surroundings = surroundings
        self._retries = retries
        self._again = again
        self._failed: set[str] = set()  # in this run
        self._owners: dict[int, tuple[Stage, str]] = {}  # by identity; the stage is kept alive
        self._lock = threading.Lock()

    def outcome(self, stage: Stage, row: Any) -> Outcome:
        """Return what becomes of a row: from the store, else by doing the work; then it is kept.

        Raises:
            BudgetSpentError: a call would be needed that the budget does not allow.
            DataError: the store failed.
        """
        return self.worked_out(stage, row)()

    def worked_out(self, stage: Stage, row: Any) -> Callable[[], Outcome]:
        """Do what `outcome` does, but return a function that waits until it is kept.

        Raises:
            BudgetSpentError, DataError: as `outcome`; the function may raise DataError.
        """
        owner = self._owner(stage)
        content = digest(to_json(row))
        attempt, key = 0, ""
        for number in itertools.count():  # each time that a failure was tried again has its key
            key = digest([owner, content, number])
            kept = self._store.get(Table.ROWS, key)
            if kept is None:
                break
            outcome, attempt = _decoded(stage, kept)
            if outcome.failed is None or not self._is_due(outcome.failed, key):
                return lambda: outcome
            attempt += outcome.failed.kind in _ASKS_ANEW
        outcome, attempt = self._worked(stage, row, digest([owner, content]), attempt)
        if outcome.failed is not None:
            with self._lock:
                self._failed.add(key)
        pending = self._store.put(Entry(Table.ROWS, key, owner, _encoded(outcome, attempt)))

        def settled() -> Outcome:
            if pending.wait():
                return outcome
            return _decoded(stage, self._store.get(Table.ROWS, key))[0]

        return settled

    def known(self, stage: Stage, row: Any) -> Outcome | None:
        """Return what is kept of a row, if its outcome is not to be worked out again."""
        owner, content = self._owner(stage), digest(to_json(row))
        for number in itertools.count():
            kept = self._store.get(Table.ROWS, digest([owner, content, number]))
            if kept is None:
                return None
            outcome, _ = _decoded(stage, kept)
            if outcome.failed is None or outcome.failed.kind not in self._again:
                return outcome
        return None

    def _owner(self, stage: Stage) -> str:
        if id(stage) not in self._owners:
            self._owners[id(stage)] = stage, stage.owner(self._surroundings)
        return self._owners[id(stage)][1]

    def _is_due(self, failed: Failed, key: str) -> bool:
        return failed.kind in self._again and key not in self._failed

    def _worked(self, stage: Stage, row: Any, key: str, attempt: int) -> tuple[Outcome, int]:
        """Do the work, as often as its failures allow; return the outcome and the last attempt."""
        left = dict(self._retries)
        usage = Usage()
        while True:
            means = Means(key, self._surroundings, self._store, attempt=attempt)
            try:
                made = list(stage.work(row, means))
                failed = None
            except (RowError, ModelError, SandboxError) as error:
                failed = _failure(error)
            finally:
                means.close()
            took = means.usage
            usage = Usage(
                usage.prompt_tokens + took.prompt_tokens,
                usage.completion_tokens + took.completion_tokens,
            )
            if failed is None:
                return _outcome(made, usage), attempt
            if not left.get(failed.kind):
                return Outcome(failed=failed, usage=usage, fresh=True), attempt
            left[failed.kind] -= 1
            attempt += failed.kind in _ASKS_ANEW


def left_by(failure: Failure) -> Left:
    """Return why a row left, where that is no failure of a call: nothing was made of it.

    Raises:
        RowError: a call failed, or brought what cannot be used.
    """
    kind = _CLASSES.get(failure.kind)
    if kind is not None:
        raise RowError(kind, f"{failure.kind}: {failure.note}")
    return Left(failure.kind.value, failure.note)


_CLASSES: Mapping[FailureKind, FailureClass] = {
    FailureKind.MODEL_FAILED: FailureClass.HTTP,
    FailureKind.TOO_LONG: FailureClass.LENGTH,
    FailureKind.REFUSED: FailureClass.REFUSED,
    FailureKind.EMPTY_REPLY: FailureClass.EMPTY,
    FailureKind.CUT_OFF: FailureClass.LENGTH,
    FailureKind.UNREADABLE: FailureClass.PARSE,
    FailureKind.OUT_OF_RANGE: FailureClass.PARSE,
    FailureKind.NO_LOGPROBS: FailureClass.PARSE,
}


def _outcome(made: list[Any], usage: Usage) -> Outcome:
    rows = tuple(each for each in made if not isinstance(each, Left))
    left = next((each for each in made if isinstance(each, Left)), None)
    if not rows and left is None:
        left = Left("nothing_made")
    return Outcome(rows, None if rows else left, None, usage, fresh=True)


def _failure(error: RowError | ModelError | SandboxError) -> Failed:
    why = f"{type(error).__name__}: {error}"
    match error:
        case RowError():
            return Failed(error.kind, str(error))
        case ContextOverflowError():
            return Failed(FailureClass.LENGTH, why)
        case UnavailableError():
            return Failed(FailureClass.HTTP, why)
        case ModelError():
            return Failed(FailureClass.MODEL, why)
        case SandboxError():
            return Failed(FailureClass.SANDBOX, why)


def _encoded(outcome: Outcome, attempt: int) -> dict[str, Any]:
    value: dict[str, Any] = {"attempt": attempt}
    if outcome.rows:
        value["rows"] = [to_json(row) for row in outcome.rows]
    if outcome.left is not None:
        value["left"] = to_json(outcome.left)
    if outcome.failed is not None:
        value["failed"] = to_json(outcome.failed)
    if outcome.usage.total_tokens:
        value["usage"] = to_json(outcome.usage)
    return value


def _decoded(stage: Stage, value: dict[str, Any]) -> tuple[Outcome, int]:
    outcome = Outcome(
        tuple(from_json(stage.made, row) for row in value.get("rows", ())),
        from_json(Left, value["left"]) if "left" in value else None,
        from_json(Failed, value["failed"]) if "failed" in value else None,
        from_json(Usage, value.get("usage", {})),
    )
    return outcome, value["attempt"]
