# /// script
# requires-python = ">=3.11"
# dependencies = ["datasketch==2.0.0", "numpy>=2.2"]
# ///
"""Near-duplicates: codeloop and datasketch on the same texts, processor time, memory, recall.

    scripts/bench dedup --rows 287000 --json out.json

Texts of 25 to 120 words, 3 % of them a copy of an earlier one, 5 % a copy with one word in 40
changed. Both use shingles of 5 words and a threshold of 0.7; datasketch has 128 permutations.
Each run is a process of its own, and the runs take turns.
"""

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]

WORDS = 20_000
COPIES, EDITED = 0.03, 0.08
SHINGLE, THRESHOLD, PERMUTATIONS = 5, 0.7, 128


def texts(rows: int, seed: int) -> tuple[list[str], list[tuple[int, int]]]:
    """Return texts, and the pairs that were planted: a row and the one that it was made of."""
    dice = random.Random(seed)
    words = [f"word{number}" for number in range(WORDS)]
    made: list[str] = []
    planted: list[tuple[int, int]] = []
    while len(made) < rows:
        chance = dice.random()
        if not made or chance >= EDITED:
            made.append(" ".join(dice.choices(words, k=dice.randint(25, 120))))
            continue
        of = dice.randrange(len(made))
        copy = made[of].split()
        if chance >= COPIES:
            for _ in range(max(1, len(copy) // 40)):
                copy[dice.randrange(len(copy))] = dice.choice(words)
        planted.append((len(made), of))
        made.append(" ".join(copy))
    return made, planted


def by_codeloop(made: list[str]) -> list[tuple[int, int]]:
    """Return the pairs that codeloop joins: a row and the one that stands for it."""
    from codeloop.dataset.deduplication.clusters import cluster_texts  # noqa: PLC0415  one peer

    found = cluster_texts((text, 0) for text in made)
    return [(each.row, each.kept) for each in found.members]


def by_datasketch(made: list[str]) -> list[tuple[int, int]]:
    """Return the pairs that datasketch joins: a row and one before it that its index gives."""
    from datasketch import MinHash, MinHashLSH  # noqa: PLC0415  one peer

    index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    pairs = []
    for row, text in enumerate(made):
        words = text.split()
        shingles = {
            " ".join(words[at : at + SHINGLE]).encode()
            for at in range(max(1, len(words) - SHINGLE + 1))
        }
        signature = MinHash(num_perm=PERMUTATIONS)
        signature.update_batch(shingles)
        pairs += [(row, int(of)) for of in index.query(signature)]
        index.insert(str(row), signature)
    return pairs


PEERS = {"codeloop": by_codeloop, "datasketch": by_datasketch}


def groups(rows: int, pairs: list[tuple[int, int]]) -> list[int]:
    """Return for each row the lowest row that it is joined to."""
    parent = list(range(rows))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = row = parent[parent[row]]
        return row

    for one, two in pairs:
        low, high = sorted((root(one), root(two)))
        parent[high] = low
    return [root(row) for row in range(rows)]


def one_run(peer: str, rows: int, seed: int) -> Json:
    """Return what one peer took and found."""
    made, planted = texts(rows, seed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    pairs = PEERS[peer](made)
    cpu_s = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found, truth = groups(rows, pairs), groups(rows, planted)
    right = sum(found[row] == found[of] for row, of in planted)
    wrong = sum(truth[row] != truth[of] for row, of in pairs)
    return {
        "peer": peer,
        "rows": rows,
        "cpu_s": round(cpu_s, 2),
        "us_per_row": round(1e6 * cpu_s / rows, 1),
        "input_mb": before // 1024,
        "peak_mb": peak // 1024,
        "recall": round(right / len(planted), 4),
        "precision": round(1 - wrong / len(pairs), 4),
    }


def runs(rows: int, rounds: int) -> Iterator[Json]:
    """Yield each run, the peers taking turns."""
    for seed in range(rounds):
        for peer in PEERS:
            command = [sys.executable, __file__, "--only", peer, "--rows", str(rows)]
            done = subprocess.run(
                [*command, "--seed", str(seed)], capture_output=True, text=True, check=True
            )
            yield json.loads(done.stdout)


def main() -> None:
    """Run all, print the table and the ratios, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=287_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", choices=PEERS, help="one run of one peer, as JSON")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all runs to a file")
    args = parser.parse_args()
    if args.only:
        print(json.dumps(one_run(args.only, args.rows, args.seed)))
        return
    made = []
    for each in runs(args.rows, args.rounds):
        made.append(each)
        print(each, flush=True)
    for figure in ("cpu_s", "peak_mb", "recall"):
        ours, theirs = (
            statistics.median(each[figure] for each in made if each["peer"] == peer)
            for peer in PEERS
        )
        print(f"{figure}: {ours} and {theirs}, ratio {ours / theirs:.3f}")
    if args.json:
        args.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
