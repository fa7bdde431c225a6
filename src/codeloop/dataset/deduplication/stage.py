"""The stage that keeps one of the queries that say the same."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from codeloop.core.errors import MissingExtraError
from codeloop.dataset.means import Surroundings
from codeloop.dataset.records import Query
from codeloop.dataset.stages import Gone, SetStage, StageKind


@dataclass(frozen=True, slots=True)
class Deduplication:
    """Words of a shingle, and the least Jaccard similarity that counts as the same."""

    words: int = 5
    similarity: float = 0.7


def build(settings: Deduplication, surroundings: Surroundings) -> SetStage:
    """Return the stage.

    Raises:
        MissingExtraError: the extra `dataset` is not installed.
    """
    try:
        from codeloop.dataset.deduplication.clusters import (  # noqa: PLC0415  it needs the extra
            Likeness,
            cluster,
        )
    except ModuleNotFoundError as error:
        msg = f"dedup needs {error.name}: pip install 'codeloop[dataset]'"
        raise MissingExtraError(msg) from error
    likeness = Likeness(words=settings.words, similarity=settings.similarity)

    def work(queries: Iterable[Query]) -> Iterator[Query | Gone]:
        found = cluster(queries, likeness=likeness)
        dropped = {each.row: each for each in found.members}
        for row, query in enumerate(queries):
            if member := dropped.get(row):
                note = f"row {member.kept} stands for it, {member.similarity:.2f}"
                yield Gone(query.id, member.why.value, note)
            else:
                yield query

    return SetStage("dedup", "1", work, Query, settings=settings)


KIND = StageKind("dedup", Query, Deduplication, build)
