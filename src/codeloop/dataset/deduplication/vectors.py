"""Rows whose vectors are close: every pair is compared, in blocks that fit into memory."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

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
