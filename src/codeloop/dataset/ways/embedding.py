"""Texts as vectors: an endpoint's, or without a model by words, weighed and condensed."""

import re
import zlib
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
        rows = [_counted(text) for text in texts]
        weight = _rarity(rows)
        dice = np.random.default_rng(_SEED)
        drawn = np.sort(dice.permutation(len(rows))[: self._sample])
        sample = _dense([rows[at] for at in drawn], weight)
        directions = _directions(sample, self._dimensions, dice)
        vectors = np.zeros((len(rows), self._dimensions), np.float32)
        for start in range(0, len(rows), _BLOCK):
            part = _dense(rows[start : start + _BLOCK], weight) @ directions
            vectors[start : start + _BLOCK, : directions.shape[1]] = part
        return unit(vectors)


def unit(vectors: Sequence[Sequence[float]] | Vectors) -> Vectors:
    """Return vectors of length 1, as float32; those of zeros stay so.

    Raises:
        ValueError: they are not of one length.
    """
    array = np.asarray(vectors, np.float32)
    if array.size == 0:
        return array.reshape(len(array), -1) if len(array) else np.zeros((0, 0), np.float32)
    lengths = np.linalg.norm(array, axis=1, keepdims=True)
    ones: Vectors = np.divide(array, lengths, out=np.zeros_like(array), where=lengths > 0)
    return ones


def _counted(text: str) -> tuple[npt.NDArray[np.int32], Vectors]:
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
    return (hashes >> 1).astype(np.int32) % BUCKETS, (strength * signs).astype(np.float32)


def _rarity(rows: Sequence[tuple[npt.NDArray[np.int32], Vectors]]) -> Vectors:
    """Return the inverse document frequency of each bucket, smoothed."""
    texts = np.zeros(BUCKETS, np.int64)
    for buckets, _ in rows:
        texts[np.unique(buckets)] += 1
    return np.log((1 + len(rows)) / (1 + texts)).astype(np.float32)


def _dense(rows: Sequence[tuple[npt.NDArray[np.int32], Vectors]], weight: Vectors) -> Vectors:
    """Return rows as a matrix of texts by buckets, each row of length 1."""
    matrix = np.zeros((len(rows), BUCKETS), np.float32)
    for at, (buckets, strengths) in enumerate(rows):
        np.add.at(matrix[at], buckets, strengths)
    return unit(matrix * weight)


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
