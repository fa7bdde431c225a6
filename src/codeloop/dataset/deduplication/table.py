"""The table of clusters as JSON Lines, and vectors from a file."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from codeloop.core.errors import DataError
from codeloop.dataset.deduplication.clusters import Clusters
from codeloop.dataset.deduplication.vectors import Vectors
from codeloop.dataset.records import Query


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
