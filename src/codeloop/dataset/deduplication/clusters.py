"""Rows that say the same in clusters, each with the row that stands for it, and why."""

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from codeloop.core.errors import DataError
from codeloop.dataset.deduplication.shingles import (
    Hashes,
    Keys,
    Shingler,
    Vectors,
    close_pairs,
    jaccard,
    same_text,
)
from codeloop.dataset.records import Query

_BATCH = 512  # texts that are shingled at a time
_CROWD = 32  # rows of one band key; of more, each is compared with those that began a group
_SETS = 4096  # sets of shingles that are remembered


class Why(StrEnum):
    """Why a row is not kept."""

    EXACT = "exact"  # the same but for letter case and white space
    NEAR = "near"  # its shingles are nearly those of another
    EMBEDDING = "embedding"  # its vector is close to another's


@dataclass(frozen=True, slots=True)
class Likeness:
    """What counts as the same.

    `similarity` is the least Jaccard similarity of two sets of shingles, `cosine` the least of
    two vectors. 16 bands of 4 rows let 99 % of the pairs at 0.7 be compared, and each is.
    """

    words: int = 5
    similarity: float = 0.7
    bands: int = 16
    rows: int = 4
    cosine: float = 0.95


@dataclass(frozen=True, slots=True)
class Member:
    """A row that is not kept: its number and that of the row that stands for it, from 0.

    `similarity` is to that row: Jaccard, or the cosine. It may be less than was asked for, where
    the two are like a third.
    """

    row: int
    kept: int
    why: Why
    similarity: float


class Clusters:
    """Which row stands for each row; the order of the rows decides between equals alone."""

    def __init__(self, members: Sequence[Member], rows: int) -> None:
        self.members = tuple(members)
        self.rows = rows
        self._dropped = frozenset(each.row for each in members)

    def keeps(self, row: int) -> bool:
        return row not in self._dropped

    def kept(self, queries: Iterable[Query]) -> Iterator[Query]:
        """Yield the kept rows of the queries that were clustered, which are read again."""
        return (query for row, query in enumerate(queries) if self.keeps(row))


def cluster(
    queries: Iterable[Query],
    *,
    likeness: Likeness = Likeness(),
    vectors: Vectors | None = None,
) -> Clusters:
    """Return the clusters of queries by their text; the longest answer stands for its cluster.

    No query is held: of each there stay its shingles, 4 bytes a word, and 144 bytes of keys.
    `vectors` (rows by dimensions, of length 1) join what is close by them, too. Time is linear in
    the texts but for what is alike; with vectors it is quadratic in the rows.

    Raises:
        DataError: there are not as many vectors as queries.
    """
    return cluster_texts(
        ((each.query, len(each.answer)) for each in queries), likeness=likeness, vectors=vectors
    )


def cluster_texts(
    texts: Iterable[tuple[str, int]],
    *,
    likeness: Likeness = Likeness(),
    vectors: Vectors | None = None,
) -> Clusters:
    """Return the clusters of texts, each with its weight: the heaviest stands for its cluster.

    Raises:
        DataError: there are not as many vectors as texts.
    """
    rows = _Rows(likeness)
    rows.read(texts)
    groups = _Groups(len(rows.first))
    for one, two in rows.alike():
        groups.join(one, two)
    if vectors is not None:
        if len(vectors) != len(rows.first):
            msg = f"{len(vectors)} vectors for {len(rows.first)} rows"
            raise DataError(msg)
        uniques = np.flatnonzero(np.asarray(rows.first) == np.arange(len(rows.first)))
        for one, two in close_pairs(vectors, uniques, likeness.cosine):
            groups.join(one, two)
    for row, first in enumerate(rows.first):
        groups.join(row, first)
    return Clusters(list(_members(rows, groups, vectors)), len(rows.first))


class _Groups:
    """Which rows are joined to each other (union-find, the lowest number is the root)."""

    def __init__(self, rows: int) -> None:
        self._parent = list(range(rows))

    def root(self, row: int) -> int:
        parent = self._parent
        while parent[row] != row:
            parent[row] = row = parent[parent[row]]
        return row

    def join(self, one: int, two: int) -> None:
        one, two = sorted((self.root(one), self.root(two)))
        self._parent[two] = one


class _Rows:
    """What is kept of each text: the row that was first to say it, its weight, its shingles."""

    def __init__(self, likeness: Likeness) -> None:
        self.likeness = likeness
        self._shingler = Shingler(likeness.words, likeness.bands, likeness.rows)
        self._seen: dict[bytes, int] = {}
        self._shingles: list[Hashes] = []  # of a batch of texts
        self._begins: list[npt.NDArray[np.int64]] = []
        self._keys: list[Keys] = []
        self._rows: list[int] = []  # those with shingles: the first to say their text
        self._place: dict[int, int] = {}
        self._sets = lru_cache(_SETS)(self._set)
        self.first: list[int] = []
        self.weights: list[int] = []

    def read(self, texts: Iterable[tuple[str, int]]) -> None:
        fresh: list[str] = []
        for text, weight in texts:
            plain = same_text(text)
            key = blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            row = len(self.first)
            first = self._seen.setdefault(key, row)
            self.first.append(first)
            self.weights.append(weight)
            if first == row:
                self._place[row] = len(self._rows)
                self._rows.append(row)
                fresh.append(plain)
            if len(fresh) == _BATCH:
                self._add(fresh)
                fresh = []
        if fresh:
            self._add(fresh)

    def _add(self, texts: list[str]) -> None:
        shingles, begins = self._shingler.shingles(texts)
        self._shingles.append(shingles)
        self._begins.append(np.append(begins, len(shingles)))
        self._keys.append(self._shingler.keys(shingles, begins))

    def alike(self) -> Iterator[tuple[int, int]]:
        """Yield pairs of rows whose shingles are alike; what they join does not hang on order."""
        digests = list(self._seen)  # by row, since rows were seen in their order
        groups = _Groups(len(self._rows))
        for band in range(self.likeness.bands if self._rows else 0):
            keys = np.concatenate([each[:, band] for each in self._keys])
            for places in _runs(keys):
                for one, two in self._pairs(places, groups, digests):
                    groups.join(one, two)
                    yield self._rows[one], self._rows[two]

    def _pairs(
        self, places: list[int], groups: _Groups, digests: list[bytes]
    ) -> Iterator[tuple[int, int]]:
        least = self.likeness.similarity
        if len(places) <= _CROWD:
            for one, two in itertools.combinations(places, 2):
                if groups.root(one) != groups.root(two) and self._similar(one, two) >= least:
                    yield one, two
            return
        leaders: list[int] = []
        for each in sorted(places, key=digests.__getitem__):
            like = next((one for one in leaders if self._similar(one, each) >= least), None)
            if like is None:
                leaders.append(each)
            else:
                yield like, each

    def similarity(self, one: int, two: int) -> float:
        """Return the Jaccard similarity of two rows."""
        return self._similar(self._place[self.first[one]], self._place[self.first[two]])

    def _similar(self, one: int, two: int) -> float:
        return jaccard(self._sets(one), self._sets(two))

    def _set(self, place: int) -> frozenset[int]:
        batch, at = divmod(place, _BATCH)
        begin, end = self._begins[batch][at : at + 2]
        return frozenset(self._shingles[batch][begin:end].tolist())


def _runs(keys: Keys) -> Iterator[list[int]]:
    """Yield the places of each key that is there more than once."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    edges = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1], [True]]))
    for at in np.flatnonzero(np.diff(edges) > 1):
        yield order[edges[at] : edges[at + 1]].tolist()


def _members(rows: _Rows, groups: _Groups, vectors: Vectors | None) -> Iterator[Member]:
    best: dict[int, int] = {}
    for row, weight in enumerate(rows.weights):
        root = groups.root(row)
        if root not in best or weight > rows.weights[best[root]]:
            best[root] = row
    for row in range(len(rows.first)):
        kept = best[groups.root(row)]
        if kept == row:
            continue
        if rows.first[kept] == rows.first[row]:
            yield Member(row, kept, Why.EXACT, 1.0)
            continue
        similarity = rows.similarity(row, kept)
        if vectors is not None and similarity < rows.likeness.similarity:
            cosine = float(vectors[rows.first[row]] @ vectors[rows.first[kept]])
            yield Member(row, kept, Why.EMBEDDING, round(cosine, 4))
        else:
            yield Member(row, kept, Why.NEAR, round(similarity, 4))


def write_clusters(path: Path, clusters: Clusters, queries: Iterable[Query]) -> None:
    """Write a line for each row that is not kept: which stands for it, why, and how alike.

    `queries` are those that were clustered, in the same order, for their ids.

    Raises:
        DataError: the file cannot be written.
    """
    ids = [query.id for query in queries]
    try:
        with path.open("w", encoding="utf-8") as file:
            for each in clusters.members:
                row = {
                    "row": each.row,
                    "id": ids[each.row],
                    "kept_row": each.kept,
                    "kept": ids[each.kept],
                    "why": each.why,
                    "similarity": each.similarity,
                }
                file.write(f"{json.dumps(row)}\n")
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror})"
        raise DataError(msg) from error


def load_vectors(path: Path) -> Vectors:
    """Return the matrix of an `.npy` file, rows by dimensions; it is read as it is needed.

    Raises:
        DataError: it holds none, or vectors whose length is not 1.
    """
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        msg = f"{path}: not an .npy file ({error})"
        raise DataError(msg) from error
    if vectors.ndim != 2 or vectors.dtype != np.float32:  # noqa: PLR2004  rows by dimensions
        msg = f"{path}: should be float32, rows by dimensions, not {vectors.dtype} {vectors.shape}"
        raise DataError(msg)
    lengths = np.linalg.norm(vectors[:1024], axis=1)
    if not np.all((np.abs(lengths - 1) < 1e-3) | (lengths == 0)):  # noqa: PLR2004  rounding
        msg = f"{path}: vectors should have the length 1"
        raise DataError(msg)
    found: Vectors = vectors
    return found
