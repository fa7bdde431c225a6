# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.2", "faiss-cpu"]
# ///
"""Nearest neighbours of many vectors: our search next to faiss's exact index, and brute force.

Each search runs in a process of its own, one after the other. Processor seconds are told, since
they do not depend on what else the machine does. Brute force compares a sample of rows with all.
"""

import argparse
import json
import multiprocessing
import random
import time
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import numpy as np

from codeloop.dataset.ways.embedding import Vectors, unit
from codeloop.dataset.ways.neighbours import by_faiss, by_numpy, nearest

COUNT = 4  # neighbours
CLUSTER = 50  # rows of a cluster
SPREAD = 0.9


def made(rows: int, size: int) -> Vectors:
    """Return clustered unit vectors, the same for the same numbers."""
    dice = np.random.default_rng(1)
    centres = dice.standard_normal((max(1, rows // CLUSTER), size), np.float32)
    noise = np.float32(SPREAD) * dice.standard_normal((rows, size), np.float32)
    return unit(centres[dice.integers(0, len(centres), rows)] + noise)


def measure(which: str, rows: int, size: int, path: Path) -> None:
    """Search, keep the rows found, and write what it took."""
    vectors = made(rows, size)
    before_mb = getrusage(RUSAGE_SELF).ru_maxrss / 1024
    cpu, wall = time.process_time(), time.perf_counter()
    found, _ = nearest(vectors, COUNT, search=by_faiss if which == "faiss" else by_numpy)
    figures = {
        "cpu_s": round(time.process_time() - cpu, 1),
        "wall_s": round(time.perf_counter() - wall, 1),
        "peak_mb": round(getrusage(RUSAGE_SELF).ru_maxrss / 1024),
        "before_mb": round(before_mb),
    }
    np.save(path.with_suffix(".npy"), found)
    path.write_text(json.dumps(figures), encoding="utf-8")


def brute_force(vectors: Vectors, row: int) -> list[int]:
    """Return the nearest rows of one row by comparing it with all, in float64."""
    cosines = (vectors.astype(np.float64) * vectors[row].astype(np.float64)).sum(axis=1)
    cosines[row] = -np.inf
    order = np.lexsort((np.arange(len(vectors)), -cosines))
    return [int(near) for near in order[:COUNT]]


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=156_000)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--sample", type=int, default=100, help="rows compared by brute force")
    parser.add_argument("--folder", type=Path, default=Path("/tmp"), help="for what was found")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures to a file")
    args = parser.parse_args()
    figures, found = {}, {}
    context = multiprocessing.get_context("spawn")
    for which in ("numpy", "faiss"):
        path = args.folder / f"packing-{which}.json"
        search = context.Process(target=measure, args=(which, args.rows, args.size, path))
        search.start()
        search.join()
        if search.exitcode:
            raise SystemExit(search.exitcode)
        figures[which] = json.loads(path.read_text(encoding="utf-8"))
        found[which] = np.load(path.with_suffix(".npy"))
        print(which, figures[which], flush=True)
    vectors = made(args.rows, args.size)
    sample = random.Random(1).sample(range(args.rows), min(args.sample, args.rows))
    same = sum(found["numpy"][row].tolist() == brute_force(vectors, row) for row in sample)
    rows = {
        "rows": args.rows,
        "size": args.size,
        "searches": figures,
        "rows_that_differ": int((found["numpy"] != found["faiss"]).any(axis=1).sum()),
        "equal_to_brute_force": [same, len(sample)],
        "cpu_ratio": round(figures["numpy"]["cpu_s"] / figures["faiss"]["cpu_s"], 2),
    }
    print(json.dumps(rows, indent=1))
    if args.json is not None:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
