# /// script
# requires-python = ">=3.11"
# dependencies = ["evalplus==0.3.1"]
# ///
"""How quickly files of solutions are judged, next to evalplus on the same files.

    scripts/bench evals --data DATA --json out.json

For HumanEval+ and MBPP+, two files each: the canonical solutions (`canonical`), and these with as
many wrong ones, which return None (`all`). Both take turns, with what references tell worked out
before: the first turn of each is not counted. `--every N` takes one problem of N, for a trial.
"""

import argparse
import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

Json = dict[str, Any]

SETS = {  # name: evalplus's name, our name, file, variable, and least ratios for canonical and all
    "humaneval+": (
        "humaneval",
        "humanevalplus/HumanEvalPlus.jsonl.gz",
        "HUMANEVAL_OVERRIDE_PATH",
        (2.0, 3.0),
    ),
    "mbpp+": ("mbpp", "mbppplus/MbppPlus.jsonl.gz", "MBPP_OVERRIDE_PATH", (2.5, 4.0)),
}


def write_files(folder: Path, rows: list[Json], every: int) -> dict[str, Path]:
    """Write both files of solutions; return them by name. evalplus wants every problem."""
    paths = {}
    for name in ("canonical", "all"):
        paths[name] = folder / f"{name}.jsonl"
        with paths[name].open("w", encoding="utf-8") as file:
            for at, row in enumerate(rows):
                code = row["prompt"] + row["canonical_solution"]
                wrong = f"def {row['entry_point']}(*a, **k):\n    return None\n"
                first = code if at % every == 0 else wrong
                both = [first, wrong] if name == "all" else [first]
                for solution in both:
                    line = json.dumps({"task_id": row["task_id"], "solution": solution})
                    file.write(line + "\n")
    return paths


def timed(command: list[str], env: dict[str, str]) -> tuple[float, float]:
    """Return wall seconds and processor seconds of a command and all that it has started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, env=os.environ | env, check=True, stdout=subprocess.DEVNULL)
    wall_s = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure, print a line for each file, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--every", type=int, default=1, metavar="N")
    parser.add_argument("--only", choices=list(SETS))
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures to a file")
    args = parser.parse_args()
    figures: Json = {}
    for name, (peer_name, source, variable, targets) in SETS.items():
        if args.only in {None, name}:
            with tempfile.TemporaryDirectory() as folder:
                unpacked = Path(folder) / "data.jsonl"
                unpacked.write_bytes(gzip.decompress((args.data / source).read_bytes()))
                rows = [json.loads(line) for line in unpacked.read_bytes().splitlines()]
                files = write_files(Path(folder), rows, args.every)
                for (kind, path), target in zip(files.items(), targets, strict=True):
                    row = compare(name, peer_name, path, {variable: str(unpacked)}, args)
                    row["target"] = target
                    figures[f"{name} {kind}"] = row
                    print(f"{name:11} {kind:10}", json.dumps(row), flush=True)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def compare(
    name: str, peer_name: str, path: Path, env: dict[str, str], args: argparse.Namespace
) -> Json:
    """Return medians of both, and the ratio of wall times within a round."""
    workers = str(args.workers)
    ours = [sys.executable, "-m", "codeloop", "judge", name, str(path), "--workers", workers]
    ours += ["--data", str(args.data)]
    theirs = [sys.executable, "-m", "evalplus.evaluate", "--dataset", peer_name]
    theirs += ["--samples", str(path), "--parallel", workers, "--i_just_wanna_run"]

    def peer() -> tuple[float, float]:
        for old in path.parent.glob("*_eval_results.json"):  # which it would only print again
            old.unlink()
        return timed(theirs, env)

    timed(ours, env)
    peer()
    rounds = [(peer(), timed(ours, env)) for _ in range(args.rounds)]
    return {
        "evalplus_wall_s": round(statistics.median(other[0] for other, _ in rounds), 2),
        "codeloop_wall_s": round(statistics.median(own[0] for _, own in rounds), 2),
        "evalplus_cpu_s": round(statistics.median(other[1] for other, _ in rounds), 2),
        "codeloop_cpu_s": round(statistics.median(own[1] for _, own in rounds), 2),
        "times_as_fast": round(statistics.median(other[0] / own[0] for other, own in rounds), 2),
    }


if __name__ == "__main__":
    main()
