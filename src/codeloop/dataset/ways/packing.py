"""Packing: similar queries of one turn become one dialogue of several.

OpenCodeInterpreter (arXiv 2402.14658), section 2.2: the 4 nearest neighbours of a query by
embedding, 2 or 3 put together at random, none used again; a query whose neighbours are all used is
passed over. Its 16.6K dialogues have 33.5K turns: "2 or 3" counts the query itself.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from codeloop.core.dialogue import Dialogue, Feedback, Source, Turn
from codeloop.core.protocols import Model, Sampling
from codeloop.dataset.asking import ask
from codeloop.dataset.failure import Failure, of_reply
from codeloop.dataset.keys import chooser, digest
from codeloop.dataset.records import Example, Query, Way
from codeloop.dataset.ways.embedding import Vectors
from codeloop.dataset.ways.neighbours import nearest
from codeloop.loop.prompts import sections

NEIGHBOURS = 4
SIZES = (2, 3)  # queries of a pack

_VERDICT = re.compile(r"\W*(yes|no)\b", re.IGNORECASE)
_VERDICT_TOKENS = 8

FollowsOn = Callable[[Query, Query], bool]


@dataclass(frozen=True, slots=True)
class PackingSettings:
    """What may be packed together; the first three as published, the rest for less of a jump."""

    neighbours: int = NEIGHBOURS
    sizes: tuple[int, ...] = SIZES
    seed: int = 0
    min_similarity: float = -1.0  # cosine
    same_language: bool = False


def packs(
    queries: Sequence[Query],
    vectors: Vectors,
    settings: PackingSettings = PackingSettings(),
    *,
    follows_on: FollowsOn | None = None,
) -> Iterator[tuple[int, ...]]:
    """Yield packs of similar queries, as places in `queries`, each query in one at most.

    `vectors` has a row of each query. Queries come in their order; those without an answer are not
    used. `follows_on` says whether the second of two queries is a natural follow-up of the first.
    """
    usable = [at for at, query in enumerate(queries) if query.query and query.answer]
    used: set[int] = set()
    near = dict(_near(queries, usable, vectors, settings))
    for at in usable:
        if at in used:
            continue
        free = [each for each in near[at] if each not in used]
        dice = chooser(f"{settings.seed}:{queries[at].id}", "packing")
        wanted = dice.choice(settings.sizes) - 1
        pack = [at]
        for each in dice.sample(free, len(free)):
            if len(pack) > wanted:
                break
            if follows_on is None or follows_on(queries[pack[-1]], queries[each]):
                pack.append(each)
        if len(pack) > 1:
            used.update(pack)
            yield tuple(pack)


def packed(pack: Sequence[Query]) -> Example:
    """Return the dialogue of a pack: each query with its answer, one after the other."""
    opening = Dialogue.ask(pack[0].query).opening
    turns = [Turn(query.answer) for query in pack]
    for at, query in enumerate(pack[1:]):
        turns[at] = turns[at].with_feedback(Feedback(Source.PERSON, query.query))
    ids = tuple(query.id for query in pack)
    return Example(
        Dialogue(opening, tuple(turns), digest([Way.PACKING, *ids])),
        Way.PACKING,
        ids,
        source=_joined(query.source for query in pack),
        licence=_joined(query.licence for query in pack),
        language=_joined(query.language for query in pack),
        models=(),
    )


class FollowUpJudge:
    """Asks a model whether a query follows on naturally; what it does not answer does not.

    `failures` holds why, in the order in which they came. A call that fails raises ModelError.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.failures: list[Failure] = []

    def __call__(self, first: Query, second: Query) -> bool:
        text = sections("packing")["follow_up"].substitute(first=first.query, second=second.query)
        reply = ask(self._model, text, Sampling(temperature=0.0, max_tokens=_VERDICT_TOKENS))
        found = _VERDICT.match(reply.text)
        if found is None:
            self.failures.append(of_reply(reply.text, reply.finish))
            return False
        return found[1].lower() == "yes"


def _near(
    queries: Sequence[Query], usable: Sequence[int], vectors: Vectors, settings: PackingSettings
) -> Iterator[tuple[int, list[int]]]:
    """Yield the neighbours of each usable query, by place."""
    groups: dict[str, list[int]] = {}
    for at in usable:
        groups.setdefault(queries[at].language if settings.same_language else "", []).append(at)
    for members in groups.values():
        mine = vectors if len(members) == len(vectors) else vectors[members]
        rows, similar = nearest(mine, settings.neighbours)
        for at, row, cosines in zip(members, rows, similar, strict=True):
            pairs = zip(row, cosines, strict=True)
            yield at, [members[r] for r, c in pairs if r >= 0 and c >= settings.min_similarity]


def _joined(words: Iterator[str]) -> str:
    """Return what all have in common; where they differ, all of them, each once."""
    return ", ".join(sorted({word for word in words if word}))
