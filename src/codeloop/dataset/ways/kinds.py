"""The stages of the ways that start from queries."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from codeloop.core.protocols import Sampling
from codeloop.dataset.failure import Failure
from codeloop.dataset.means import Means, Surroundings
from codeloop.dataset.records import Example, Query
from codeloop.dataset.stages import Chosen, Gone, Left, SetStage, Stage, StageKind, left_by
from codeloop.dataset.ways.correction import CorrectionSettings, Wanted, correct, draw_wanted
from codeloop.dataset.ways.embedding import DIMENSIONS, WordEmbedder
from codeloop.dataset.ways.packing import NEIGHBOURS, SIZES, PackingSettings, packed, packs
from codeloop.dataset.ways.simulation import Roles, SimulationSettings, simulate

WRITER, FIXER, USER = "writer", "fixer", "user"


@dataclass(frozen=True, slots=True)
class Packing:
    """As `PackingSettings`; `dimensions` are those of the vectors by words."""

    neighbours: int = NEIGHBOURS
    sizes: tuple[int, ...] = SIZES
    seed: int = 0
    min_similarity: float = -1.0
    same_language: bool = False
    dimensions: int = DIMENSIONS


@dataclass(frozen=True, slots=True)
class Simulation:
    """As `SimulationSettings`."""

    fixes: int = 3
    asks: int = 1
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Correction:
    """How many turns a repair may take, and the one error that is wanted; else by the row."""

    fixes: int = 3
    wanted: Wanted | None = None


def _packing(settings: Packing, surroundings: Surroundings) -> SetStage:
    how = PackingSettings(
        settings.neighbours,
        settings.sizes,
        settings.seed,
        settings.min_similarity,
        settings.same_language,
    )

    def work(rows: Sequence[Query]) -> Iterator[Example | Gone]:
        places, texts = array("q"), []
        for place, query in enumerate(rows):
            if query.query and query.answer:
                places.append(place)
                texts.append(query.query)
            else:
                yield Gone(query.id, "no_answer")
        queries = Chosen(rows, places)
        vectors = WordEmbedder(dimensions=settings.dimensions).embed(texts)
        del texts
        pack_of = {at: pack for pack in packs(queries, vectors, how) for at in pack}
        for at, query in enumerate(queries):
            pack = pack_of.get(at, ())
            if not pack:
                yield Gone(query.id, "no_neighbour")
            elif at == pack[0]:
                yield packed([queries[each] for each in pack])
            else:
                yield Gone(query.id, "packed", queries[pack[0]].id)

    return SetStage("pack", "1", work, Example, settings=settings)


def _simulation(settings: Simulation, surroundings: Surroundings) -> Stage:
    def work(query: Query, means: Means) -> Iterator[Example | Left]:
        session = means.session()
        roles = Roles(means.model(WRITER), means.model(FIXER), means.model(USER))
        how = SimulationSettings(
            settings.fixes,
            settings.asks,
            settings.explain,
            sampling=_whole(means.sampling(WRITER)),
            run=session.limits,
        )
        made = simulate(query, roles, session, how)
        yield left_by(made) if isinstance(made, Failure) else made

    calls = 2 + settings.fixes + settings.asks
    roles = (WRITER, FIXER, USER)
    return Stage("simulate", "1", work, Example, settings=settings, roles=roles, calls=calls)


def _correction(settings: Correction, surroundings: Surroundings) -> Stage:
    def work(query: Query, means: Means) -> Iterator[Example | Left]:
        session = means.session()
        how = CorrectionSettings(settings.fixes, _whole(means.sampling(WRITER)), session.limits)
        wanted = settings.wanted or draw_wanted(query.id)
        models = means.model(WRITER), means.model(FIXER)
        made = correct(query, wanted, models, session, how)
        yield left_by(made) if isinstance(made, Failure) else made

    roles = (WRITER, FIXER)
    return Stage("correct", "2", work, Example, settings=settings, roles=roles, calls=3)


def _whole(sampling: Sampling) -> Sampling:
    """Return how a model is to write whole programs: its own way, with room enough."""
    return replace(sampling, max_tokens=sampling.max_tokens or 1024)


KINDS = (
    StageKind("pack", Query, Packing, _packing),
    StageKind("simulate", Query, Simulation, _simulation),
    StageKind("correct", Query, Correction, _correction),
)
