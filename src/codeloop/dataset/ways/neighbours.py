"""The nearest neighbours of vectors, exactly: by faiss where it is installed, else by numpy.

Both find candidates in float32; what counts is worked out again in float64, and equal similarities
go by row number. So both give the same, and the same as comparing every pair.
"""

from collections.abc import Callable
from importlib import import_module

import numpy as np
import numpy.typing as npt

from codeloop.dataset.ways.embedding import Vectors

Rows = npt.NDArray[np.int64]
Similarities = npt.NDArray[np.float64]
Search = Callable[[Vectors, int], tuple[Rows, Vectors]]

_SPARE = 4  # candidates beyond what is asked for
_UNIT_ROUNDOFF = 2.0**-24  # of float32
_TILE = 2048  # rows that are compared with as many others at once
_BLOCK = 1024  # rows whose candidates are compared exactly at once


def nearest(
    vectors: Vectors, count: int, *, search: Search | None = None
) -> tuple[Rows, Similarities]:
    """Return the nearest other rows of each row and their cosines, nearest first: (rows, count).

    `vectors` are of length 1. Where there are fewer others, -1 and -inf stand in their place.
    `search` finds candidates: that of faiss if it is installed, else our own.
    """
    rows = len(vectors)
    wanted = min(count, max(0, rows - 1))
    found = np.full((rows, count), -1, np.int64)
    similar = np.full((rows, count), -np.inf)
    if not wanted:
        return found, similar
    candidates, rough = (search or default_search())(vectors, min(wanted + _SPARE, rows - 1))
    complete = candidates.shape[1] == rows - 1
    for start in range(0, rows, _BLOCK):
        block = np.arange(start, min(start + _BLOCK, rows))
        near = candidates[block]
        exact = _cosines(vectors[block, None], vectors[near])
        order = np.lexsort((near, -exact))[:, :wanted]
        found[block, :wanted] = np.take_along_axis(near, order, axis=1)
        similar[block, :wanted] = np.take_along_axis(exact, order, axis=1)
        if not complete:
            slack = 2 * _error(vectors)
            unsure = block[similar[block, wanted - 1] <= rough[block].min(axis=1) + slack]
            for row in unsure:  # one that is as near may have been left out
                found[row], similar[row] = _again(vectors, row, similar[row], wanted)
    return found, similar


def default_search() -> Search:
    """Return the search of faiss if it is installed, else our own."""
    try:
        import_module("faiss")
    except ImportError:
        return by_numpy
    return by_faiss


def by_faiss(vectors: Vectors, count: int) -> tuple[Rows, Vectors]:
    """Return the nearest other rows of each row, by faiss's exact index of inner products."""
    faiss = import_module("faiss")
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    similar, rows = index.search(vectors, count + 1)
    own = rows == np.arange(len(vectors))[:, None]
    own[~own.any(axis=1), -1] = True  # behind others that equal it
    return rows[~own].reshape(-1, count), similar[~own].reshape(-1, count)


def by_numpy(vectors: Vectors, count: int) -> tuple[Rows, Vectors]:
    """Return the nearest other rows of each row, a tile of pairs at a time, each pair once."""
    rows = len(vectors)
    best = _Best(rows, count)
    for start in range(0, rows, _TILE):
        end = min(start + _TILE, rows)
        for other in range(start, rows, _TILE):
            tile = vectors[start:end] @ vectors[other : other + _TILE].T
            if other == start:
                np.fill_diagonal(tile, -np.inf)
            else:
                best.add(np.ascontiguousarray(tile.T), other, start)
            best.add(tile, start, other)
    return best.rows, best.similar


class _Best:
    """The best rows found so far for each row, in no order."""

    def __init__(self, rows: int, count: int) -> None:
        self.rows = np.full((rows, count), -1, np.int64)
        self.similar = np.full((rows, count), -np.inf, np.float32)
        self._worst = np.full(rows, -np.inf, np.float32)

    def add(self, tile: Vectors, first: int, other: int) -> None:
        """Take the similarities of the rows from `first` with those from `other`."""
        count = self.rows.shape[1]
        mine = slice(first, first + len(tile))
        if count < tile.shape[1] and np.isneginf(self._worst[mine]).any():
            self._merge(first + np.arange(len(tile)), *_top(tile, count, other))
            return
        at, column = np.nonzero(tile > self._worst[mine, None])
        if not len(at):
            return
        changed, begins, sizes = np.unique(at, return_index=True, return_counts=True)
        width = int(sizes.max())
        similar = np.full((len(changed), width), -np.inf, np.float32)
        rows = np.full((len(changed), width), -1, np.int64)
        place = np.arange(len(at)) - np.repeat(begins, sizes)
        line = np.repeat(np.arange(len(changed)), sizes)
        similar[line, place] = tile[at, column]
        rows[line, place] = column + other
        self._merge(first + changed, rows, similar)

    def _merge(self, mine: Rows, rows: Rows, similar: Vectors) -> None:
        every = np.concatenate([self.similar[mine], similar], axis=1)
        which = np.concatenate([self.rows[mine], rows], axis=1)
        count = self.rows.shape[1]
        kept = np.argpartition(-every, count - 1, axis=1)[:, :count]
        self.similar[mine] = np.take_along_axis(every, kept, axis=1)
        self.rows[mine] = np.take_along_axis(which, kept, axis=1)
        self._worst[mine] = self.similar[mine].min(axis=1)


def _top(tile: Vectors, count: int, other: int) -> tuple[Rows, Vectors]:
    kept = np.argpartition(-tile, count - 1, axis=1)[:, :count]
    return kept + other, np.take_along_axis(tile, kept, axis=1)


def _again(
    vectors: Vectors, row: int, similar: Similarities, wanted: int
) -> tuple[Rows, Similarities]:
    """Return the nearest rows of one row, from all that can be among them."""
    rough = vectors @ vectors[row]
    rough[row] = -np.inf
    near = np.nonzero(rough >= similar[wanted - 1] - 2 * _error(vectors))[0]
    exact = _cosines(vectors[row], vectors[near])
    order = np.lexsort((near, -exact))[:wanted]
    rest = len(similar) - wanted
    return (
        np.concatenate([near[order], np.full(rest, -1, np.int64)]),
        np.concatenate([exact[order], np.full(rest, -np.inf)]),
    )


def _error(vectors: Vectors) -> float:
    """Return the most that a cosine in float32 is off (Higham 2002, section 3.1)."""
    return float(vectors.shape[1]) * _UNIT_ROUNDOFF


def _cosines(one: Vectors, others: Vectors) -> Similarities:
    """Return similarities in float64, each sum in one and the same order."""
    products = others.astype(np.float64) * one.astype(np.float64)
    sums: Similarities = products.sum(axis=-1)
    return sums
