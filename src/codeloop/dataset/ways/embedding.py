"""Texts as vectors: an endpoint's, or without a model by words, weighed and condensed."""

import re
import zlib
from array import array
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

BUCKETS = 8192  # that words are hashed to
DIMENSIONS = 256
SAMPLE = 8192  # texts that the directions are found from
_BLOCK = 2048  # texts at a time
_OVERSAMPLED = 16
_POWERS = 2
_SEED = 20240222
_WORD = re.compile(r"[A-Za-z_]\w*|\d+|[^\W\d_]+|[^\s\w]+")


class Embedder(Protocol):
    """Something that gives a vector to each text, texts of one meaning near to each other."""

    @property
    def name(self) -> str: ...

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]] | Vectors:
        """Return a vector for each text, all of one length.

        Raises:
            ModelError: who embeds failed.
        """


class WordEmbedder:
    """Words and pairs of words hashed to buckets, TF-IDF, the strongest directions of that.

    Needs no model. The directions are those of the texts that it is given together: a seeded
    randomized SVD (Halko, Martinsson and Tropp 2011, algorithms 4.4 and 5.1) of a seeded sample.
    """

    name = "words"

    def __init__(self, *, dimensions: int = DIMENSIONS, sample: int = SAMPLE) -> None:
        self._dimensions = dimensions
        self._sample = sample

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return (texts, dimensions); a text without words gets a vector of zeros."""
        if not texts:
            return np.zeros((0, self._dimensions), np.float32)
        counts = _Counts(texts)
        weight = counts.rarity()
        dice = np.random.default_rng(_SEED)
        drawn = np.sort(dice.permutation(len(texts))[: self._sample])
        directions = _directions(counts.dense(drawn, weight), self._dimensions, dice)
        vectors = np.zeros((len(texts), self._dimensions), np.float32)
        for start in range(0, len(texts), _BLOCK):
            block = np.arange(start, min(start + _BLOCK, len(texts)))
            vectors[block, : directions.shape[1]] = counts.dense(block, weight) @ directions
        return _made_unit(vectors)


def unit(vectors: Sequence[Sequence[float]] | Vectors) -> Vectors:
    """Return vectors of length 1, as float32; those of zeros stay so.

    Raises:
        ValueError: they are not of one length.
    """
    copy = np.array(vectors, np.float32)
    if copy.size == 0:
        return copy.reshape(len(copy), -1) if len(copy) else np.zeros((0, 0), np.float32)
    return _made_unit(copy)


def _made_unit(vectors: Vectors) -> Vectors:
    """Return the vectors themselves, each divided by its length: large ones are not copied."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    np.divide(vectors, lengths, out=vectors, where=lengths > 0)
    return vectors


class _Counts:
    """Of each text the buckets of its words, and how strongly each counts, without gaps."""

    def __init__(self, texts: Sequence[str]) -> None:
        buckets, strengths, ends = array("H"), array("f"), array("q", [0])
        for text in texts:
            found, strong = _counted(text)
            buckets.frombytes(found.tobytes())
            strengths.frombytes(strong.tobytes())
            ends.append(len(buckets))
        self._buckets = np.asarray(buckets)
        self._strengths = np.asarray(strengths)
        self._ends = np.asarray(ends)

    def rarity(self) -> Vectors:
        """Return the inverse document frequency of each bucket, smoothed."""
        texts = np.zeros(BUCKETS, np.int64)
        for at in range(len(self._ends) - 1):
            texts[np.unique(self._buckets[self._ends[at] : self._ends[at + 1]])] += 1
        return np.log(len(self._ends) / (1 + texts)).astype(np.float32)

    def dense(self, places: npt.NDArray[np.int64], weight: Vectors) -> Vectors:
        """Return texts as a matrix of texts by buckets, each row of length 1."""
        matrix = np.zeros((len(places), BUCKETS), np.float32)
        for at, place in enumerate(places):
            mine = slice(self._ends[place], self._ends[place + 1])
            np.add.at(matrix[at], self._buckets[mine], self._strengths[mine])
        matrix *= weight
        return _made_unit(matrix)


def _counted(text: str) -> tuple[npt.NDArray[np.uint16], Vectors]:
    """Return the buckets of a text's words and pairs of words, and how strongly each counts.

    A bucket's sign comes from the hash too, so that two words in one bucket cancel out on average
    (Weinberger et al. 2009). A count works by 1 + log.
    """
    words = [word.lower() for word in _WORD.findall(text)]
    pairs = [f"{one} {two}" for one, two in pairwise(words)]
    counts = Counter([*words, *pairs])
    hashes = np.fromiter((zlib.crc32(word.encode()) for word in counts), np.uint32, len(counts))
    strength = 1 + np.log(np.fromiter(counts.values(), np.float32, len(counts)))
    signs = np.where(hashes & 1, np.float32(1), np.float32(-1))
    return ((hashes >> 1) % BUCKETS).astype(np.uint16), (strength * signs).astype(np.float32)


def _directions(sample: Vectors, dimensions: int, dice: np.random.Generator) -> Vectors:
    """Return (buckets, at most dimensions): the first right singular vectors of a sample."""
    wanted = min(dimensions + _OVERSAMPLED, *sample.shape)
    basis = sample @ dice.standard_normal((sample.shape[1], wanted), np.float32)
    for _ in range(_POWERS):
        basis = np.linalg.qr(basis)[0]
        basis = sample @ np.linalg.qr(sample.T @ basis)[0]
    basis = np.linalg.qr(basis)[0]
    right = np.linalg.svd(basis.T @ sample, full_matrices=False)[2]
    directions: Vectors = np.ascontiguousarray(right[:dimensions].T, np.float32)
    return directions
