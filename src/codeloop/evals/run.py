"""Runs a model over a benchmark: many dialogues at once, a record each, that can be resumed."""

import json
import re
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from codeloop.core import records
from codeloop.core.dialogue import Dialogue, Message, Role
from codeloop.core.errors import ConfigError, DataError, ModelError, SandboxError
from codeloop.core.events import DialogueDone, Event, TurnDone
from codeloop.core.execution import ExecutionLimits, ExecutionResult, InputRequested, OutputChunk
from codeloop.core.files import whole_file
from codeloop.core.ordered import in_order
from codeloop.core.problem import CheckTests, Problem, ProgramTests, Verdict
from codeloop.core.protocols import Model, Reply, Sampling
from codeloop.evals.benchmarks import Benchmark
from codeloop.evals.canaries import leaks
from codeloop.evals.critics import Examiner, Person, said_of, visible_tests
from codeloop.evals.prepared import Prepared
from codeloop.evals.rows import Log, Row, read_rows
from codeloop.evals.settings import FeedbackKind, Settings, Visible
from codeloop.judge.many import RigPool
from codeloop.loop.limits import Limits
from codeloop.loop.prompts import sections
from codeloop.loop.refine import refine, to_the_end

SETTINGS, RECORDS = "settings.json", "records.jsonl"
_SECONDS = 3600.0  # of one dialogue


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A dialogue that our side broke off: it has no record, and the next start tries it again."""

    problem_id: str
    sample: int
    error: SandboxError


class NoSession:
    """A session in which nothing runs: in an evaluation the judge alone tries the code."""

    languages: frozenset[str] = frozenset()

    def run(
        self, code: str, *, language: str = "python", limits: ExecutionLimits | None = None
    ) -> Generator[OutputChunk | InputRequested | ExecutionResult, None, None]:
        msg = "no code runs in this session"
        raise SandboxError(msg)

    def interrupt(self) -> bool:
        return False

    def send_input(self, line: str | None) -> None: ...

    def restart(self) -> None: ...

    def close(self) -> None: ...


class TimedModel:
    """Passes calls on to a model, and notes how long they take."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.seconds = 0.0
        self.by_turn: list[float] = []
        self.name = model.name
        self.context_tokens = model.context_tokens

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self._model.count_tokens(messages)

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        timeout_s: float | None = None,
    ) -> Generator[str | Reply, None, None]:
        start = time.monotonic()
        try:
            yield from self._model.stream(messages, sampling, timeout_s=timeout_s)
        finally:
            self.seconds += time.monotonic() - start

    def end_turn(self) -> None:
        """Note what the calls since the last turn took: its own."""
        self.by_turn.append(self.seconds - sum(self.by_turn))

    def close(self) -> None:
        """Leave the model open: others use it too."""


class Evaluation:
    """One model on one benchmark, with one person perhaps; threads share it."""

    def __init__(
        self,
        prepared: Prepared,
        model: Model,
        pool: RigPool,
        settings: Settings,
        *,
        person: Model | None = None,
    ) -> None:
        self._prepared = prepared
        self._model = model
        self._pool = pool
        self._settings = settings
        self._person = person

    def run(
        self, log: Log, done: Sequence[Row], only: Sequence[str], *, in_flight: int
    ) -> Iterator[Row | Unfinished]:
        """Yield a record for each dialogue that is not done; each is in the log by then."""
        known = {(row["problem"], row["sample"]) for row in done if not row.get("error")}
        left = [
            (name, sample)
            for name in only
            for sample in range(self._settings.samples)
            if (name, sample) not in known
        ]

        def work(pair: tuple[str, int]) -> Row | Unfinished:
            try:
                record = self.dialogue(*pair)
            except SandboxError as error:
                return Unfinished(*pair, error)
            log.append(record)
            return record

        return in_order(work, left, threads=in_flight, ahead=2)

    def dialogue(self, problem_id: str, sample: int) -> Row:
        """Return the record of one dialogue.

        Raises:
            SandboxError: our side failed.
        """
        problem = self._prepared.problem(problem_id)
        model = TimedModel(self._model)
        person = Person(self._person) if self._person is not None else None
        examiner = Examiner(
            problem, self._pool, self._settings, person=person, other=self._other(problem_id)
        )
        record: Row = {"problem": problem_id, "sample": sample}
        start = time.monotonic()
        try:
            done = self._refined(problem, sample, model, examiner)
        except ModelError as error:
            return record | {"error": f"{type(error).__name__}: {error}"}
        return record | {
            "reason": done.reason.value,
            "turns": [
                self._turn_facts(examiner, at, turn.usage.completion_tokens)
                | {"model_s": round(seconds, 3)}
                for at, (turn, seconds) in enumerate(
                    zip(done.dialogue.turns, model.by_turn, strict=True)
                )
            ],
            "prompt_tokens": sum(turn.usage.prompt_tokens for turn in done.dialogue.turns),
            "completion_tokens": sum(turn.usage.completion_tokens for turn in done.dialogue.turns),
            "person_tokens": person.usage.total_tokens if person else 0,
            "model_s": round(model.seconds, 3),
            "wall_s": round(time.monotonic() - start, 3),
            "leaks": self._leaks(done.dialogue, problem),
            "dialogue": records.to_json(done.dialogue),
        }

    def _refined(
        self, problem: Problem, sample: int, model: TimedModel, examiner: Examiner
    ) -> DialogueDone:
        settings = self._settings
        seed = None if settings.seed is None else settings.seed + sample
        sampling = Sampling(
            temperature=settings.temperature, max_tokens=settings.max_tokens, seed=seed
        )
        limits = Limits(turns=settings.turns, seconds=_SECONDS, same_error=None, same_code=None)
        asked = Dialogue(opening(problem, self._prepared.benchmark), id=f"{problem.id}#{sample}")
        events = refine(asked, model, NoSession(), [examiner], limits=limits, sampling=sampling)

        def see(event: Event) -> None:
            if isinstance(event, TurnDone):
                model.end_turn()

        return to_the_end(events, see)

    def _turn_facts(self, examiner: Examiner, at: int, tokens: int) -> dict[str, Any]:
        seen = examiner.seen[at]
        verdict = examiner.decide(seen.extraction)
        before = examiner.seen[at - 1].extraction.code if at else None
        return {
            "rule": seen.extraction.rule.value,
            "visible": seen.verdict.passed,
            "visible_reason": seen.verdict.reason.value,
            "base": verdict.sets_passed >= len(examiner.problem.tests),
            "plus": verdict.passed if examiner.problem.hidden else None,
            "reason": verdict.reason.value,
            "forgeable": verdict.forgeable,
            "same_code": seen.extraction.code == before,
            "tokens": tokens,
            "cpu_s": round(verdict.cpu_s, 4),
            "code": seen.extraction.code,
            "why": _why(verdict),
        }

    def _other(self, problem_id: str) -> str:
        """Return what is said of the problem after this one, where feedback is shuffled."""
        if self._settings.feedback is not FeedbackKind.SHUFFLED:
            return ""
        ids = self._prepared.ids
        other = self._prepared.problem(ids[(ids.index(problem_id) + 1) % len(ids)])
        return said_of(other, self._pool, self._settings.visible)

    def _leaks(self, dialogue: Dialogue, problem: Problem) -> list[str]:
        if self._settings.visible is Visible.ALL:
            return []
        shown = visible_tests(problem, self._settings.visible)
        every = (*problem.tests, *problem.hidden)
        return leaks(dialogue, problem, [tests for tests in every if tests not in shown])


def _why(verdict: Verdict) -> dict[str, Any]:
    """Return what a verdict says of the first test that failed."""
    facts = records.to_json(verdict)
    keys = ("test", "input", "expected", "actual", "error", "limit")
    return {key: facts[key] for key in keys if facts[key]}


def open_run(folder: Path, settings: Settings) -> tuple[Log, list[Row]]:
    """Return the log of a run's folder, and the records that are there, the last of each.

    Raises:
        ConfigError: the folder holds a run with other settings, or another process writes there.
        DataError: it cannot be written.
    """
    path = folder / SETTINGS
    if not path.exists():
        with whole_file(path) as file:  # who is killed here leaves no half of it
            file.write((json.dumps(asdict(settings), indent=2) + "\n").encode())
    elif read_settings(folder) != settings:
        msg = f"{folder} holds a run with other settings: take a new folder"
        raise ConfigError(msg)
    log = Log(folder / RECORDS)
    return log, read_records(folder)


def read_settings(folder: Path) -> Settings:
    """Return the settings of a run; what is younger than it has its default.

    Raises:
        DataError: they cannot be read.
    """
    path = folder / SETTINGS
    try:
        return records.from_json(Settings, json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise DataError(msg) from error
    except ValueError as error:
        msg = f"{path}: not the settings of a run ({error})"
        raise DataError(msg) from error


def read_records(folder: Path) -> list[Row]:
    """Return the records of a run, one a dialogue, that of the last try, in the order of names.

    In what order dialogues end is chance, and no figure may depend on it.

    Raises:
        DataError: they cannot be read.
    """
    last = {(row["problem"], row["sample"]): row for _, row in read_rows(folder / RECORDS)}
    return [last[key] for key in sorted(last, key=_place)]


def _place(key: tuple[str, int]) -> tuple[list[str | int], int]:
    """Return what puts `task/2` before `task/10`."""
    name, sample = key
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)], sample


_STYLES = {
    "humaneval": "complete",
    "humaneval_plus": "complete",
    "humaneval_x": "complete_other",
    "mbxp": "complete_other",
    "fix": "fix",
    "cruxeval_output": "output",
    "cruxeval_input": "input",
}


def opening(problem: Problem, benchmark: Benchmark) -> tuple[Message, ...]:
    """Return the first messages of a dialogue about a problem."""
    say = sections("evaluation")[_STYLES.get(benchmark.kind, "solve")]
    shown = [_text(tests) for tests in problem.visible]
    text = say.substitute(
        prompt=problem.prompt.strip(), language=problem.language, tests="\n".join(shown)
    )
    return (Message(Role.USER, text),)


def _text(tests: object) -> str:
    match tests:
        case CheckTests(source):
            return source
        case ProgramTests(after=after):
            return after.strip()
        case _:
            return ""
