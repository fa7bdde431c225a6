"""The critic of an evaluation: tries a turn's solution, and says what the settings allow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from codeloop.core.dialogue import Dialogue, Feedback, Source, Turn, Usage
from codeloop.core.errors import ConfigError, ModelError
from codeloop.core.problem import CheckTests, Problem, Reason, Tests, Verdict
from codeloop.core.protocols import Model, Reply, Sampling
from codeloop.evals.extraction import Extraction, Rule, extract
from codeloop.evals.settings import FeedbackKind, Settings, Stop, Visible
from codeloop.judge.explaining import explain
from codeloop.judge.judging import Linked
from codeloop.judge.many import RigPool
from codeloop.loop.prompts import sections, verdict_text
from codeloop.loop.sentences import first_sentences

_LOADS = (CheckTests("pass"),)  # for a problem that shows no test: the code has to load
_SENTENCES = 3
_PERSON_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of one turn: its solution, and the verdict of the visible tests."""

    extraction: Extraction
    verdict: Verdict


class Person:
    """Somebody who gives guidance: a model plays them, in the paper's limits."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.usage = Usage()

    def guide(self, problem: Problem, code: str, verdict: Verdict, *, knows: bool) -> str:
        """Return at most three sentences without code; `knows` shows them a right solution.

        Raises:
            ModelError: the model failed, or said nothing.
        """
        say = sections("person")["oracle" if knows else "human"]
        text = say.substitute(
            prompt=problem.prompt,
            code=code,
            result=verdict_text(verdict),
            reference=problem.reference,
        )
        sampling = Sampling(temperature=0.0, max_tokens=_PERSON_TOKENS)
        for part in self._model.stream(Dialogue.ask(text).opening, sampling):
            if isinstance(part, Reply):
                self.usage = Usage(
                    self.usage.prompt_tokens + part.usage.prompt_tokens,
                    self.usage.completion_tokens + part.usage.completion_tokens,
                )
                guidance = first_sentences(part.text, _SENTENCES)
                if guidance:
                    return guidance
        msg = f"{self._model.name}, who plays a human, said nothing"
        raise ModelError(msg)


def visible_tests(problem: Problem, visible: Visible) -> tuple[Tests, ...]:
    """Return the tests that feedback may rest on."""
    match visible:
        case Visible.EXAMPLES:
            return problem.visible or (_LOADS if problem.language == "python" else ())
        case Visible.BASE:
            return problem.tests
        case Visible.ALL:
            return (*problem.tests, *problem.hidden)


class Examiner:
    """Looks at the turns of one dialogue; `seen` holds what it saw, a turn each. Fills `Critic`.

    `other` is what is said of another problem, for shuffled feedback.
    """

    def __init__(
        self,
        problem: Problem,
        pool: RigPool,
        settings: Settings,
        *,
        person: Person | None = None,
        other: str = "",
    ) -> None:
        self.problem = problem
        self._pool = pool
        self._settings = settings
        self._person = person
        self._other = other
        self._tests = visible_tests(problem, settings.visible)
        self._every = (*problem.tests, *problem.hidden)
        self._decided: dict[str, Verdict] = {}
        self.seen: list[Seen] = []

    def review(self, dialogue: Dialogue, turn: Turn) -> Feedback | Verdict | None:
        """Return what the model is told; None where the dialogue may end.

        Raises:
            SandboxError: the rig failed.
            ModelError: who plays the human failed.
        """
        extraction = extract(turn.reply, self.problem)
        before = self.seen[-1] if self.seen else None
        if before is not None and before.extraction.code and extraction.rule is Rule.NONE:
            extraction = Extraction(before.extraction.code, Rule.KEPT)
        said_all = before is not None and extraction.code == before.extraction.code
        settings = self._settings
        last = len(self.seen) + 1 >= settings.turns
        verdict = before.verdict if before and said_all else self._shown(extraction, last=last)
        self.seen.append(Seen(extraction, verdict))
        if last:
            return None  # nobody will read it
        if settings.stop is Stop.ORACLE and self.decide(extraction).passed:
            return None
        if not verdict.passed:
            return self._told(extraction, verdict)
        if settings.stop is Stop.SELF and not said_all:
            return _say("satisfied")
        return _say("retry") if settings.stop is Stop.ORACLE else None

    def decide(self, extraction: Extraction) -> Verdict:
        """Return the verdict of the tests that decide; the same code is judged once.

        Raises:
            SandboxError: the rig failed.
        """
        if extraction.code not in self._decided:
            self._decided[extraction.code] = self._judged(extraction, self._every)
        return self._decided[extraction.code]

    def _shown(self, extraction: Extraction, *, last: bool) -> Verdict:
        """Return the verdict of the visible tests.

        Where those that decide begin with them, or where nobody will be told, one trial is enough
        for a solution that passes.
        """
        every, shown = self._every, self._tests
        if every == shown:
            return self.decide(extraction)
        if not all(isinstance(tests, Linked) for tests in (*every, *shown)):
            return self._judged(extraction, shown)
        if every[: len(shown)] == shown:
            verdict = self.decide(extraction)
            return verdict if verdict.sets_passed < len(shown) else _of_passed(verdict, len(shown))
        if last and extraction.code not in self._decided:
            verdict = self._judged(extraction, (*every, *shown))
            if verdict.passed and not verdict.forgeable:
                self._decided[extraction.code] = _of_passed(verdict, len(every))
                return _of_passed(verdict, len(shown))
            if verdict.sets_passed < len(every) and not verdict.forgeable:
                self._decided[extraction.code] = verdict
        return self._judged(extraction, shown)

    def _judged(self, extraction: Extraction, tests: Sequence[Tests]) -> Verdict:
        if extraction.rule is Rule.NONE:
            return Verdict(Reason.UNDEFINED)
        if not tests:
            return Verdict(Reason.PASSED)
        return self._pool.judge(self.problem, extraction.code, tests=tests)

    def _told(self, extraction: Extraction, verdict: Verdict) -> Feedback | Verdict | None:
        match self._settings.feedback:
            case FeedbackKind.NONE:
                return None
            case FeedbackKind.EXECUTION:
                return self._explained(extraction, verdict)
            case FeedbackKind.RETRY:
                return _say("retry")
            case FeedbackKind.SHUFFLED:
                return Feedback(Source.CRITIC, self._other)
            case FeedbackKind.HUMAN | FeedbackKind.ORACLE as kind:
                knows = kind is FeedbackKind.ORACLE
                if self._person is None:
                    msg = "nobody plays the human"
                    raise ConfigError(msg)
                told = self._explained(extraction, verdict)
                text = self._person.guide(self.problem, extraction.code, told, knows=knows)
                return Feedback(Source.CRITIC, text)

    def _explained(self, extraction: Extraction, verdict: Verdict) -> Verdict:
        """Return a verdict with a trace of the test that failed, if the settings ask for it."""
        if not self._settings.explain:
            return verdict
        with self._pool.lend() as rig:
            trace = explain(self.problem, extraction.code, self._tests, verdict, rig)
        return replace(verdict, trace=trace)


def _of_passed(verdict: Verdict, sets: int) -> Verdict:
    """Return the verdict of the first sets of tests, which passed."""
    return Verdict(
        Reason.PASSED,
        forgeable=verdict.forgeable,
        sets_passed=sets,
        cpu_s=verdict.cpu_s,
        wall_s=verdict.wall_s,
    )


def said_of(problem: Problem, pool: RigPool, visible: Visible) -> str:
    """Return what a model would be told of a solution to a problem that returns nothing.

    Raises:
        SandboxError: the rig failed.
    """
    name = problem.entry_point.partition("(")[0]
    empty = f"def {name}(*args, **kwargs):\n    return None\n" if name.isidentifier() else "None"
    tests = visible_tests(problem, visible) or _LOADS
    verdict = pool.judge(replace(problem, preamble=""), empty, tests=tests)
    wrong = replace(verdict, reason=Reason.WRONG_ANSWER) if verdict.passed else verdict
    return verdict_text(wrong)


def _say(name: str) -> Feedback:
    return Feedback(Source.CRITIC, sections("evaluation")[name].substitute())
