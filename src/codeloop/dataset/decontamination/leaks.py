"""Rows against benchmarks, level by level: which row gives which problem away, and how."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from codeloop.core.errors import ConfigError, MissingExtraError
from codeloop.core.ordered import in_order
from codeloop.core.problem import Problem
from codeloop.dataset.decontamination.asking import Asking
from codeloop.dataset.decontamination.behaviour import Behaviour
from codeloop.dataset.decontamination.passages import Passage, passage
from codeloop.dataset.decontamination.wording import (
    Nearest,
    Runs,
    Structures,
    Wholes,
    row_tokens,
    texts_of,
)
from codeloop.dataset.means import Surroundings
from codeloop.dataset.records import Example, Query
from codeloop.dataset.stages import Gone, SetStage, StageKind
from codeloop.judge.many import RigPool

_R = TypeVar("_R", Query, Example)

Find = Callable[[Passage, list[str]], Iterable[tuple[str, str]]]


class Level(StrEnum):
    """How a leak is found, the cheapest level first."""

    WHOLE = "whole"  # a problem's words, or its solution, are there from end to end
    RUNS = "runs"  # many runs of 13 tokens are
    STRUCTURE = "structure"  # its solution is there by other names
    ASKED = "asked"  # a model says that the row asks for the same as a problem that is near
    BEHAVIOUR = "behaviour"  # a function passes its tests


@dataclass(frozen=True, slots=True)
class Leak:
    """A row that gives a problem away: at which level it was found, and what was found."""

    row: str  # its id
    level: Level
    problem: str
    note: str


class Decontamination:
    """Looks for leaks of some problems; what a level needs and is not given, it does without.

    Of problems with the same id the first counts: so give those with more tests first.
    A row is looked at level by level until one finds something, or at all if it is `thorough`.
    """

    def __init__(
        self,
        problems: Sequence[Problem],
        *,
        pool: RigPool | None = None,
        asking: Asking | None = None,
        thorough: bool = False,
    ) -> None:
        unique: dict[str, Problem] = {}
        for each in problems:
            unique.setdefault(each.id, each)
        problems = list(unique.values())
        told = [(each.id, texts_of(each)) for each in problems]
        wholes, runs, structures = Wholes(told), Runs(told), Structures(problems)
        self._thorough = thorough
        self._levels: dict[Level, Find] = {
            Level.WHOLE: lambda _, row: wholes.find(row),
            Level.RUNS: lambda _, row: runs.find(row),
            Level.STRUCTURE: lambda found, _: structures.find(found),
        }
        nearest = Nearest(problems)
        if asking is not None:
            asked = asking.about(problems, nearest)
            self._levels[Level.ASKED] = lambda found, _: asked.find(found)
        if pool is not None:
            behaviour = Behaviour(problems, pool, nearest)
            self._levels[Level.BEHAVIOUR] = lambda found, _: behaviour.find(found)

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels that are looked at."""
        return tuple(self._levels)

    def leaks(self, row: Query | Example) -> tuple[Leak, ...]:
        """Return what a row gives away, the first of each level.

        Raises:
            ModelError: the model that is asked fails.
            SandboxError: the sandbox breaks.
        """
        found: list[Leak] = []
        whole = passage(row)
        row_words = row_tokens(whole)
        for level, find in self._levels.items():
            first = next(iter(find(whole, row_words)), None)
            if first is not None:
                found.append(Leak(whole.id, level, *first))
                if not self._thorough:
                    break
        return tuple(found)

    def look(
        self, rows: Iterable[_R], *, threads: int = 1
    ) -> Iterator[tuple[_R, tuple[Leak, ...]]]:
        """Yield each row with its leaks, in order; rows are taken a few a thread ahead.

        Raises:
            ModelError: the model that is asked fails.
            SandboxError: the sandbox breaks.
        """
        return in_order(lambda row: (row, self.leaks(row)), rows, threads=threads)


@dataclass(slots=True)
class Report:
    """What came of a pass: rows, leaks by level, and by problem."""

    levels: tuple[Level, ...]
    rows: int = 0
    leaking: int = 0
    by_level: Counter[Level] = field(default_factory=Counter)
    by_problem: Counter[str] = field(default_factory=Counter)

    def add(self, leaks: Sequence[Leak]) -> None:
        """Take a row into account."""
        self.rows += 1
        self.leaking += bool(leaks)
        self.by_level.update({each.level for each in leaks})
        self.by_problem.update({each.problem for each in leaks})

    def as_json(self) -> dict[str, object]:
        """Return it as plain values; a level that was not looked at is not in it."""
        return {
            "rows": self.rows,
            "leaking": self.leaking,
            "by_level": {str(level): self.by_level[level] for level in self.levels},
            "by_problem": dict(self.by_problem.most_common()),
        }


def clean(
    rows: Iterable[_R],
    decontamination: Decontamination,
    report: Report,
    leaks: Callable[[_R, tuple[Leak, ...]], None],
    *,
    threads: int = 1,
) -> Iterator[_R]:
    """Yield the rows that give nothing away; the others go to `leaks`, all are counted."""
    for row, found in decontamination.look(rows, threads=threads):
        report.add(found)
        if found:
            leaks(row, found)
        else:
            yield row


@dataclass(frozen=True, slots=True)
class Settings:
    """Against which benchmarks, and whether the functions of rows are run."""

    against: tuple[str, ...] = ("humaneval", "mbpp+", "mbpp")
    run: bool = True


def _built(name: str, made: type) -> Callable[[Settings, Surroundings], SetStage]:
    def build(settings: Settings, surroundings: Surroundings) -> SetStage:
        """Return the stage.

        Raises:
            ConfigError: a benchmark is not known, or functions are to run and there is no rig.
            MissingExtraError: the extra `dataset` is not installed.
        """
        unknown = [each for each in settings.against if each not in surroundings.problems]
        if unknown:
            msg = f"{name}: no benchmark {unknown[0]!r} (see `codeloop eval list`)"
            raise ConfigError(msg)
        if settings.run and surroundings.rigs is None:
            msg = f"{name} runs code, and there is no sandbox: add a table [sandbox]"
            raise ConfigError(msg)

        def work(rows: Iterable[Any]) -> Iterator[Any]:
            return _looked(rows, settings, surroundings)

        return SetStage(name, "1", work, made, settings=settings)

    return build


def _looked(rows: Iterable[Any], settings: Settings, surroundings: Surroundings) -> Iterator[Any]:
    try:
        from codeloop.dataset.decontamination.leaks import (  # noqa: PLC0415  it needs the extra
            Decontamination,
        )
    except ModuleNotFoundError as error:
        msg = f"decontamination needs {error.name}: pip install 'codeloop[dataset]'"
        raise MissingExtraError(msg) from error
    problems = [each for name in settings.against for each in surroundings.problems[name]()]
    pool = surroundings.rigs if settings.run else None
    threads = pool.rigs if pool else 1
    for row, leaks in Decontamination(problems, pool=pool).look(rows, threads=threads):
        if leaks:
            key = row.id if isinstance(row, Query) else row.dialogue.id
            yield Gone(key, f"leak_{leaks[0].level}", f"{leaks[0].problem}: {leaks[0].note}")
        else:
            yield row


KIND = StageKind("decontaminate", Query, Settings, _built("decontaminate", Query))
EXAMPLES_KIND = StageKind(
    "decontaminate_examples", Example, Settings, _built("decontaminate_examples", Example)
)
