"""Which faults are tried on a task, in which order, and how each would be told: by seed alone."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from codeloop.dataset.keys import chooser
from codeloop.dataset.mutation.faults import Family, Fault
from codeloop.dataset.mutation.kinds import BY_NAME, places
from codeloop.dataset.mutation.source import Source
from codeloop.dataset.mutation.tasks import Task


class Manner(StrEnum):
    """Who says that the code is wrong, and from what."""

    JUDGE = "judge"  # a verdict on the visible tests, as in an evaluation
    EXECUTION = "execution"  # the run of the code itself, which fails
    EXPLAINED = "explained"  # the run is shown even if it ends well; the last turn is in words
    PERSON = "person"  # somebody who called the function


@dataclass(frozen=True, slots=True)
class Settings:
    """What is made of each task.

    Shares are of dialogues; what is left of 1 after `right` and `double` has one fault.
    """

    seed: int = 0
    of_each: int = 3  # dialogues of a task
    tries: int = 10  # faults tried on a task before it is left
    right: float = 0.06  # are right at once
    double: float = 0.08  # have two faults, mended in two turns
    judge: float = 0.4  # of the rest, who says it
    execution: float = 0.2
    explained: float = 0.2
    person: float = 0.2


@dataclass(frozen=True, slots=True)
class Try:
    """One dialogue to be tried: its faults (none, one or two) and its manner."""

    number: int
    manner: Manner
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A task, and what is tried on it in order, until enough is made."""

    task: Task
    tries: tuple[Try, ...]


# How often a family is chosen, beside the others that a source has room for.
_WEIGHTS = {
    Family.SYNTAX: 1.0,
    Family.NAME: 1.5,
    Family.TYPE: 1.2,
    Family.BOUND: 3.0,
    Family.LOGIC: 4.0,
    Family.LOOP: 2.5,
    Family.SHARING: 2.0,
}
# How often a kind is chosen, beside the others of its family, if not 1: these fit nearly anywhere.
_COMMON = {"returns_text": 0.25, "dropped_return": 0.5, "missing_self": 0.5, "identity": 0.3}
_COVERING = frozenset({Family.SYNTAX, Family.NAME})  # their failure hides another
_COVERED = frozenset({Family.BOUND, Family.LOGIC, Family.LOOP})


def plan(task: Task, settings: Settings) -> Plan:
    """Return the plan for a task. Use it in one thread at a time.

    Each kind of fault is tried once at the most, so that rare kinds have their turn.
    """
    chance = chooser(task.problem.id, f"mutation {settings.seed}")
    source = Source(task.problem.reference)
    tries: list[Try] = []
    drawn = _drawn(source, chance)
    for number in range(settings.tries):
        share = chance.random()
        if share < settings.right and not any(not each.faults for each in tries):
            manner = Manner.JUDGE if chance.random() < 0.5 else Manner.EXPLAINED  # noqa: PLR2004
            tries.append(Try(number, manner, ()))
            continue
        fault = next(drawn, None)
        if fault is None:
            break
        double = settings.right <= share < settings.right + settings.double
        pair = _pair(fault, source, chance) if double else None
        manner = Manner.JUDGE if pair else _manner(chance, settings)
        tries.append(Try(number, manner, pair or (fault,)))
    return Plan(task, tuple(tries))


def _drawn(source: Source, chance: random.Random) -> Iterator[Fault]:
    """Yield one fault of each kind, kinds in an order drawn by the weight of their family."""
    left = places(source)
    while left:
        families = sorted({BY_NAME[name].family for name in left})
        weights = [_WEIGHTS[family] for family in families]
        (family,) = chance.choices(families, weights)
        names = [name for name in left if BY_NAME[name].family is family]
        (name,) = chance.choices(names, [_COMMON.get(name, 1.0) for name in names])
        faults = left.pop(name)
        chance.shuffle(faults)
        fitting = (fault for fault in faults if BY_NAME[name].fits(fault, source))
        fault = next(fitting, None)
        if fault is not None:
            yield fault


def _pair(first: Fault, source: Source, chance: random.Random) -> tuple[Fault, Fault] | None:
    """Return a fault that hides another, and that other; None if there is no such pair."""
    family = BY_NAME[first.kind].family
    wanted = _COVERED if family in _COVERING else _COVERING
    if family not in _COVERING | _COVERED:
        return None
    others = [fault for fault in _drawn(source, chance) if BY_NAME[fault.kind].family in wanted]
    others = [fault for fault in others if _apart(first, fault)]
    if not others:
        return None
    other = chance.choice(others)
    return (first, other) if family in _COVERING else (other, first)


def _apart(first: Fault, second: Fault) -> bool:
    """Return whether two faults can stand in one source: their edits are two lines apart."""
    return abs(first.line - second.line) > 1 and not any(
        one.start <= two.end and two.start <= one.end for one in first.edits for two in second.edits
    )


def _manner(chance: random.Random, settings: Settings) -> Manner:
    weights = [settings.judge, settings.execution, settings.explained, settings.person]
    return chance.choices(list(Manner), weights)[0]
