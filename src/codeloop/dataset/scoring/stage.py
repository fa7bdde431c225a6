"""The stage that keeps the queries which a model calls complex enough."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from codeloop.dataset.means import Means, Surroundings
from codeloop.dataset.records import Query
from codeloop.dataset.scoring.complexity import (
    KEEP_FROM,
    Combination,
    Complexity,
    Order,
    Scale,
    score,
)
from codeloop.dataset.stages import Left, Outcome, Stage, StageKind, left_by

ROLE = "judge"


@dataclass(frozen=True, slots=True)
class Scoring:
    """How the scores of both prompts become one, in which order a model scores, what is kept."""

    combination: Combination = Combination.MEAN
    order: Order = Order.SCORE_FIRST
    keep_from: float = KEEP_FROM


def build(settings: Scoring, surroundings: Surroundings) -> Stage:
    """Return the stage; a query that is kept has its score among its `meta`."""

    def work(query: Query, means: Means) -> Iterator[Query | Left]:
        found = score(
            query.query,
            means.model(ROLE),
            combination=settings.combination,
            order=settings.order,
            keep_from=settings.keep_from,
        )
        if found.failure is not None:
            yield left_by(found.failure)
        elif found.passes(settings.keep_from):
            yield replace(query, meta=(*query.meta, *_told(found)))
        else:
            yield Left("too_simple", ", ".join(f"{key} {value}" for key, value in _told(found)))

    return Stage(
        "complexity", "1", work, Query, settings=settings, roles=(ROLE,), calls=2, seen=_pair
    )


def _pair(outcome: Outcome) -> str:
    """Return the scores of both prompts, as in `4 5`; one alone if the other was not asked."""
    told = dict(outcome.rows[0].meta) if outcome.rows else {}
    if outcome.left is not None:
        told = dict(each.split(" ", 1) for each in outcome.left.note.split(", "))
    found = (told.get(f"complexity_{scale.value}") for scale in Scale)
    return " ".join(each for each in found if each is not None)


def _told(found: Complexity) -> list[tuple[str, str]]:
    """Return the value, the score of each prompt, and the mass behind a weighed one, as `meta`."""
    told = [("complexity", f"{found.value:g}")]
    for each in found.ratings:
        told.append((f"complexity_{each.scale.value}", str(each.score)))
        if each.mass is not None:
            told.append((f"complexity_{each.scale.value}_mass", f"{each.mass:.3f}"))
    return told


KIND = StageKind("complexity", Query, Scoring, build)
