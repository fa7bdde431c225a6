"""Texts as sets of hashed word shingles, and their MinHash band keys, many texts at a time.

MinHash: A. Broder, "On the resemblance and containment of documents", 1997. Bands: J. Leskovec,
A. Rajaraman, J. Ullman, "Mining of Massive Datasets", chapter 3. A shingle's hash depends on its
words alone, so that results are the same in any process.
"""

import unicodedata
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint32]
Keys = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

_FACTOR = 0x9E3779B97F4A7C15  # odd: 2^64 by the golden ratio
_INVERSE = pow(_FACTOR, -1, 1 << 64)
_SEED = 0x5EED
# Bytes that stand in words: ASCII letters and digits, `_`, `+` and `#`, and all beyond ASCII.
_IN_WORDS = np.array(
    [not chr(byte).isascii() or chr(byte).isalnum() or chr(byte) in "_+#" for byte in range(256)]
)


def same_text(text: str) -> str:
    """Return what two texts share that differ in letter case and white space alone."""
    return " ".join(unicodedata.normalize("NFC", text).lower().split())


class Shingler:
    """Turns texts into shingles of `words` words, and shingles into band keys."""

    def __init__(self, words: int, bands: int, rows: int) -> None:
        self._words = words
        self._bands = bands
        self._rows = rows
        dice = np.random.default_rng(_SEED)
        count = bands * rows
        self._factors = dice.integers(0, 1 << 31, count, dtype=np.uint32) * np.uint32(2) + 1
        self._offsets = dice.integers(0, 1 << 32, count, dtype=np.uint32)
        self._powers = _powers(_FACTOR, 0)
        self._inverses = _powers(_INVERSE, 0)

    def shingles(self, texts: list[str]) -> tuple[Hashes, Places]:
        """Return the shingles of all texts, one after the other, and where each text's begin.

        A text of fewer words than a shingle has is one shingle; every text has at least one.
        """
        words, counts = self._hashed_words(texts)
        padded = np.maximum(counts, self._words)
        starts = np.cumsum(padded) - padded
        hashes = np.zeros(int(padded.sum()), np.uint64)
        hashes[_ranges(starts, counts)] = words
        for at in np.flatnonzero(counts == 0):
            data = texts[at].encode("utf-8", "surrogatepass")
            hashes[starts[at]] = int.from_bytes(blake2b(data, digest_size=8).digest(), "little")
        mixed = np.zeros(len(hashes) - self._words + 1, np.uint64)
        for place in range(self._words):
            mixed *= np.uint64(_FACTOR)
            mixed += hashes[place : place + len(mixed)]
        windows = padded - self._words + 1
        return _finished(mixed[_ranges(starts, windows)]), np.cumsum(windows) - windows

    def _hashed_words(self, texts: list[str]) -> tuple[Keys, Places]:
        """Return the hashes of all words, one after the other, and how many each text has.

        A word's hash is a polynomial of its bytes, taken from sums over all bytes before it.
        """
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        data = np.frombuffer(b"\n".join([b"", *encoded, b""]), np.uint8)
        if len(self._powers) < len(data):
            self._powers = _powers(_FACTOR, len(data))
            self._inverses = _powers(_INVERSE, len(data))
        sums = np.cumsum((data + np.uint64(1)) * self._powers[: len(data)], dtype=np.uint64)
        edges = np.flatnonzero(np.diff(_IN_WORDS[data])).astype(np.int64)
        begins, ends = edges[0::2], edges[1::2]  # each before the first byte, and at the last
        words = (sums[ends] - sums[begins]) * self._inverses[begins]
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        borders = np.searchsorted(begins, np.cumsum(lengths + 1))
        return _scattered(words), np.diff(borders, prepend=0)

    def keys(self, shingles: Hashes, first: Places) -> Keys:
        """Return the band keys of each text, shape (texts, bands)."""
        keys = np.zeros((self._bands, len(first)), np.uint64)
        permuted = np.empty_like(shingles)
        for band in range(self._bands):
            for row in range(self._rows):
                at = band * self._rows + row
                np.multiply(shingles, self._factors[at], out=permuted)
                permuted += self._offsets[at]
                keys[band] *= np.uint64(_FACTOR)
                keys[band] += np.minimum.reduceat(permuted, first) + np.uint64(1)
        return np.ascontiguousarray(keys.T)


def _powers(factor: int, count: int) -> Keys:
    return np.cumprod(np.full(count, factor, np.uint64), dtype=np.uint64)


def _ranges(starts: Places, counts: Places) -> Places:
    """Return the numbers from each start on, as many as are counted, one after the other."""
    before = np.cumsum(counts) - counts
    found: Places = np.arange(int(counts.sum())) + np.repeat(starts - before, counts)
    return found


def _finished(mixed: Keys) -> Hashes:
    return _scattered(mixed).astype(np.uint32)


def _scattered(mixed: Keys) -> Keys:
    """Return hashes all of whose bits depend on all bits: the finish of splitmix64."""
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def jaccard(first: frozenset[int], second: frozenset[int]) -> float:
    """Return how much two sets have in common: their intersection by their union."""
    shared = len(first & second)
    return shared / (len(first) + len(second) - shared)


Vectors = npt.NDArray[np.float32]

_BLOCK = 2048  # rows a side: 16 MB of cosines


def close_pairs(
    vectors: Vectors, rows: npt.NDArray[np.integer[Any]], least: float
) -> Iterator[tuple[int, int]]:
    """Yield the pairs among some rows of a matrix whose cosine is at least `least`.

    Vectors have the length 1; one of zeros is close to none.
    """
    for at in range(0, len(rows), _BLOCK):
        left = vectors[rows[at : at + _BLOCK]]
        for beside in range(at, len(rows), _BLOCK):
            cosines = left @ vectors[rows[beside : beside + _BLOCK]].T
            for one, two in np.argwhere(cosines >= least):
                if at + one < beside + two:
                    yield int(rows[at + one]), int(rows[beside + two])
