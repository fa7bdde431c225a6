# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""Whether verdicts change from run to run, and with what else the machine does.

    scripts/bench stability --data DATA --json out.json

The canonical solutions of HumanEval+ and MBPP+ and the wrong ones of `variants.py` are judged by
`codeloop judge` five times, in two of the runs beside four endless loops a core. Prints each row
whose verdict is not the same in all, and how many canonical solutions passed in each run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from variants import SOURCES, Variant, canonical, read_tasks, variants, write_samples

Json = dict[str, Any]

LOOPS_A_CORE = 4
LONGEST_S = 1800  # after which a loop ends by itself
LOOP = "import time\nend = time.monotonic() + {}\nwhile time.monotonic() < end: pass"


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """Keep the processors busy with so many loops; they end by themselves, too."""
    code = LOOP.format(LONGEST_S)
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(loops)]
    try:
        yield
    finally:
        for each in running:
            each.kill()
        for each in running:
            each.wait()


def verdicts(name: str, samples: Path, out: Path, args: argparse.Namespace) -> list[Json]:
    """Return a row for each sample, in their order; a run that was stopped goes on."""
    command = [sys.executable, "-m", "codeloop", "judge", name, str(samples), "--out", str(out)]
    command += ["--workers", str(args.workers), "--data", str(args.data)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    return sorted(rows, key=lambda row: (row["task_id"], row["sample"]))


def measure(name: str, args: argparse.Namespace, folder: Path) -> Json:
    """Judge a benchmark's rows so many times; return what changed."""
    _, tasks = read_tasks(args.data, name)
    rows: list[Variant] = [canonical(task) for task in tasks]
    if not args.canonical:
        rows += variants(tasks, each=args.each)
    samples = folder / f"{name}.jsonl"
    write_samples(samples, rows)
    runs, seconds, right = [], [], []
    for at in range(args.runs):
        loaded = at >= args.runs - args.loaded
        start = time.perf_counter()
        with busy(LOOPS_A_CORE * len(os.sched_getaffinity(0)) if loaded else 0):
            runs.append(verdicts(name, samples, folder / f"{name}.{at}.jsonl", args))
        seconds.append(round(time.perf_counter() - start, 1))
        firsts = [row for row in runs[-1] if row["sample"] == 0]
        right.append(sum(bool(row["base"] and row["plus"] is not False) for row in firsts))
        print(f"{name} run {at}: {right[-1]} of {len(tasks)} canonical ones pass", flush=True)
    told = [[(row["base"], row["plus"], row["reason"]) for row in run] for run in runs]
    flips = [
        {"task": runs[0][at]["task_id"], "sample": runs[0][at]["sample"], "said": said}
        for at, said in enumerate(zip(*told, strict=True))
        if len({(base, plus) for base, plus, _ in said}) > 1
    ]
    reasons = sum(len(set(said)) > 1 for said in zip(*told, strict=True))
    return {
        "rows": len(rows),
        "runs": args.runs,
        "loaded": args.loaded,
        "canonical": right,
        "seconds": seconds,
        "flips": flips,
        "other_reasons": reasons,
    }


def main() -> None:
    """Measure, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--loaded", type=int, default=2, help="of them, the last (default: 2)")
    parser.add_argument("--each", type=int, default=2, help="mutants of each solution (default: 2)")
    parser.add_argument("--canonical", action="store_true", help="judge nothing else")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=list(SOURCES))
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep all verdicts here")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures to a file")
    args = parser.parse_args()
    figures: Json = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in SOURCES:
            if args.only in {None, name}:
                figures[name] = measure(name, args, folder)
                print(name, json.dumps(figures[name]), flush=True)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
