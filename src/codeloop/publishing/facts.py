"""What a card says in numbers: counted from the examples and from the reports of a run."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from codeloop.core.dialogue import Dialogue, Source
from codeloop.core.execution import Status
from codeloop.dataset.records import Example

_ERRORS_SHOWN = 24


@dataclass(slots=True)
class WayFacts:
    """Samples, turns and feedback of one way, as the table of the paper counts them.

    Turns are requests with their answers: the opening, and each time that anybody said something
    and the model answered.
    """

    samples: int = 0
    turns: int = 0
    multi_turn: int = 0
    execution: int = 0
    person: int = 0

    def add(self, dialogue: Dialogue) -> None:
        """Count a dialogue."""
        sources = {said.source for turn in dialogue.turns for said in turn.feedback}
        self.samples += 1
        self.turns += len(dialogue.turns)
        self.multi_turn += len(dialogue.turns) > 1
        self.execution += bool(sources & {Source.EXECUTION, Source.JUDGE})
        self.person += bool(sources & {Source.PERSON, Source.CRITIC})


@dataclass(slots=True)
class Facts:
    """All counts of a dataset."""

    ways: dict[str, WayFacts] = field(default_factory=dict)
    sources: Counter[tuple[str, str]] = field(default_factory=Counter)  # source, licence
    languages: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    turns: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def samples(self) -> int:
        return sum(each.samples for each in self.ways.values())


def count(kept: Iterable[Example], dropped: Iterable[Example] = ()) -> Facts:
    """Return the counts of a dataset; of what is dropped only the reasons are counted."""
    facts = Facts()
    for example in kept:
        facts.ways.setdefault(example.way.value, WayFacts()).add(example.dialogue)
        facts.sources[example.source or "not named", example.licence or "not named"] += 1
        facts.languages[example.language or "none"] += 1
        facts.models.update(example.models)
        facts.turns[len(example.dialogue.turns)] += 1
        facts.errors.update(errors_of(example.dialogue))
        facts.faults.update(faults_of(example))
        facts.reasons[_reason(example)] += 1
    for example in dropped:
        facts.reasons[_reason(example)] += 1
    return facts


def errors_of(dialogue: Dialogue) -> list[str]:
    """Return how the code of a dialogue failed: exceptions by name, limits, wrong answers."""
    found = []
    for turn in dialogue.turns:
        verdict = turn.verdict
        if verdict is not None and not verdict.passed:
            found.append(verdict.error.name if verdict.error else verdict.reason.value)
            continue
        found += [
            result.error.name if result.error else result.status.value
            for result in turn.results
            if result.status is not Status.OK
        ]
    return found


def faults_of(example: Example) -> list[str]:
    """Return the kinds of planted faults that an example's name tells, if mutation made it."""
    parts = example.dialogue.id.split("/")
    if example.way.value != "mutation" or len(parts) < 4:  # noqa: PLR2004  way, problem, kinds, key
        return []
    return [kind for kind in parts[-2].split("+") if kind != "none"]


def most_common(counts: Counter[str]) -> list[tuple[str, int]]:
    """Return the largest counts in order, equal ones by name, and the rest as one."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    rest = sum(number for _, number in ordered[_ERRORS_SHOWN:])
    return [*ordered[:_ERRORS_SHOWN], *([("other", rest)] if rest else [])]


def _reason(example: Example) -> str:
    return example.verified.reason.value if example.verified else "not verified"
