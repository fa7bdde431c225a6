"""Nearest neighbours are those that comparing every pair gives, ties by row."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.dataset.ways import neighbours
from codeloop.dataset.ways.embedding import Vectors, unit


def brute_force(vectors: Vectors, count: int) -> tuple[list[list[int]], list[list[float]]]:
    """Return the nearest rows and their cosines, by comparing every pair."""
    rows, cosines = [], []
    for at, vector in enumerate(vectors.astype(np.float64)):
        every = [float((vector * other).sum()) for other in vectors.astype(np.float64)]
        order = sorted((i for i in range(len(vectors)) if i != at), key=lambda i: (-every[i], i))
        rows.append(order[:count])
        cosines.append([every[i] for i in order[:count]])
    return rows, cosines


@st.composite
def some_vectors(draw: st.DrawFn) -> Vectors:
    """Random vectors, many of which are equal or nearly so."""
    seed = draw(st.integers(0, 10_000))
    rows, size = draw(st.integers(2, 60)), draw(st.sampled_from([3, 16, 130]))
    dice = np.random.default_rng(seed)
    few = dice.standard_normal((draw(st.integers(1, rows)), size), np.float32)
    noise = draw(st.sampled_from([0.0, 1e-7, 1e-4, 1.0]))
    picked = few[dice.integers(0, len(few), rows)]
    return unit(picked + np.float32(noise) * dice.standard_normal((rows, size), np.float32))


@given(some_vectors(), st.integers(1, 6))
def test_neighbours_equal_those_of_brute_force(vectors: Vectors, count: int) -> None:
    wanted = min(count, len(vectors) - 1)
    expected, cosines = brute_force(vectors, wanted)
    rows, similar = neighbours.nearest(vectors, count, search=neighbours.by_numpy)
    assert rows[:, :wanted].tolist() == expected
    assert similar[:, :wanted].tolist() == cosines
    assert (rows[:, wanted:] == -1).all()


@pytest.mark.skipif(importlib.util.find_spec("faiss") is None, reason="needs faiss-cpu")
@given(some_vectors(), st.integers(1, 6))
def test_faiss_gives_the_same(vectors: Vectors, count: int) -> None:
    ours = neighbours.nearest(vectors, count, search=neighbours.by_numpy)
    theirs = neighbours.nearest(vectors, count, search=neighbours.by_faiss)
    assert np.array_equal(ours[0], theirs[0])
    assert np.array_equal(ours[1], theirs[1])


def test_tiles_and_blocks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_TILE", 7)
    monkeypatch.setattr(neighbours, "_BLOCK", 5)
    vectors = unit(np.random.default_rng(3).standard_normal((61, 12), np.float32))
    expected, _ = brute_force(vectors, 4)
    assert neighbours.nearest(vectors, 4, search=neighbours.by_numpy)[0].tolist() == expected


def test_one_row_and_none_have_no_neighbours() -> None:
    for count in (0, 1):
        rows, _ = neighbours.nearest(np.ones((count, 3), np.float32), 2)
        assert (rows == -1).all()
        assert rows.shape == (count, 2)
