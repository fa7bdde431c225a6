# /// script
# requires-python = ">=3.11"
# dependencies = ["evalplus==0.3.1"]
# ///
"""Whether `codeloop judge` and evalplus agree on honest code, and what each makes of cheats.

    scripts/bench agreement --data DATA --json out.json

Every canonical solution of HumanEval+ and MBPP+ is judged by both, and the wrong ones of
`variants.py`. Where they differ, evalplus is asked twice more: if it changes its mind, the row is
unstable. Prints each difference. `--keep FOLDER` keeps what is judged, so that a run that was
stopped goes on. evalplus is the one that is installed: 0.3.1, or its master branch.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from variants import (
    CHEATS,
    POLICY,
    SOURCES,
    Variant,
    canonical,
    read_tasks,
    variants,
    write_samples,
)

Json = dict[str, Any]

MIN_TIME_LIMIT_S = 4.0  # master's; 0.3.1 has 1.0, which fails right solutions on a busy machine
MORE_ASKED = 2


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the work: which problems of which benchmark, and where the verdicts go."""

    name: str
    data: Path
    folder: Path
    each: int
    at: int
    of: int

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.evalplus.{self.at}-of-{self.of}.jsonl"


def rows_of(name: str, data: Path, each: int) -> list[Variant]:
    """Return all rows of a benchmark: by problem, the canonical solution first."""
    _, tasks = read_tasks(data, name)
    wrong: dict[str, list[Variant]] = {}
    for row in variants(tasks, each=each):
        wrong.setdefault(row.task_id, []).append(row)
    return [row for task in tasks for row in (canonical(task), *wrong.get(task["task_id"], []))]


def ours(name: str, rows: list[Variant], folder: Path, options: list[str]) -> list[Json]:
    """Return our verdicts on rows, in their order."""
    samples, verdicts = folder / f"{name}.jsonl", folder / f"{name}.codeloop.jsonl"
    write_samples(samples, rows)
    command = [sys.executable, "-m", "codeloop", "judge", name, str(samples)]
    subprocess.run(
        [*command, "--out", str(verdicts), *options], check=True, stdout=subprocess.DEVNULL
    )
    found = {}
    for line in verdicts.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found[row["task_id"], row["sample"]] = row
    counts: Counter[str] = Counter()
    result = []
    for each in rows:
        result.append(found[each.task_id, counts[each.task_id]])
        counts[each.task_id] += 1
    return result


class Peer:
    """evalplus's check, with what it needs of one problem at a time."""

    def __init__(self, name: str, tasks: list[Json]) -> None:
        self._dataset = SOURCES[name][0]
        self._tasks = {task["task_id"]: task for task in tasks}
        self._truth: tuple[str, Json] = "", {}

    def verdict(self, row: Variant) -> str:
        """Return what evalplus says: "pass", or of which set of tests the failure is."""
        from evalplus.eval import untrusted_check  # noqa: PLC0415  it is slow to import

        task, truth = self._tasks[row.task_id], self._told(row.task_id)
        for group in ("base", "plus"):
            inputs = task[f"{group}_input"]
            if not len(inputs):
                continue
            status, _ = untrusted_check(
                self._dataset,
                row.code,
                inputs,
                task["entry_point"],
                truth[group],
                task["atol"],
                truth[f"{group}_time"],
                fast_check=True,
                min_time_limit=MIN_TIME_LIMIT_S,
            )
            if status != "pass":
                return f"{group} {status}"
        return "pass"

    def _told(self, task_id: str) -> Json:
        """Return what the reference returns, and how long it takes."""
        from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS  # noqa: PLC0415
        from evalplus.gen.util import trusted_exec  # noqa: PLC0415

        known, truth = self._truth
        if known == task_id:
            return truth
        task, name = self._tasks[task_id], self._tasks[task_id]["entry_point"]
        self._truth = "", {}  # before the next one is made: one of them has 781 MB
        truth = {}
        for group in ("base", "plus"):
            truth[group], truth[f"{group}_time"] = trusted_exec(
                task["prompt"] + task["canonical_solution"],
                task[f"{group}_input"],
                name,
                record_time=True,
                output_not_none=name in MBPP_OUTPUT_NOT_NONE_TASKS,
            )
        self._truth = task_id, truth
        return truth


def open_peer(name: str) -> Peer:
    """Return evalplus's check for a benchmark."""
    from evalplus.data import get_human_eval_plus, get_mbpp_plus  # noqa: PLC0415

    multiprocessing.set_start_method("fork", force=True)  # as it is used; we were spawned
    tasks = get_human_eval_plus() if name == "humaneval+" else get_mbpp_plus()
    return Peer(name, list(tasks.values()))


def theirs(share: Share) -> None:
    """Have evalplus judge a share; add a line for each row to the share's file."""
    rows = rows_of(share.name, share.data, share.each)
    ids = list(dict.fromkeys(row.task_id for row in rows))[share.at :: share.of]
    numbers = [at for at, row in enumerate(rows) if row.task_id in set(ids)]
    known = set()
    if share.path.exists():
        lines = share.path.read_text(encoding="utf-8").splitlines()
        known = {json.loads(line)["row"] for line in lines}
    peer = open_peer(share.name)
    with share.path.open("a", encoding="utf-8") as file:
        for at in numbers:
            if at not in known:
                start = time.perf_counter()
                line = {"row": at, "verdict": peer.verdict(rows[at])}
                line["seconds"] = round(time.perf_counter() - start, 3)
                file.write(json.dumps(line) + "\n")
                file.flush()


def ask_again(arguments: tuple[str, list[Variant]]) -> list[list[str]]:
    """Return what evalplus says of rows when it is asked again, nothing else running."""
    name, rows = arguments
    peer = open_peer(name)
    return [[peer.verdict(row) for _ in range(MORE_ASKED)] for row in rows]


def compare(name: str, args: argparse.Namespace, folder: Path) -> list[Json]:
    """Judge a benchmark's rows by both; return a row each."""
    rows = rows_of(name, args.data, args.each)
    options = ["--workers", str(args.workers), "--data", str(args.data)]
    own = ours(name, rows, folder, options)
    shares = [
        Share(name, args.data, folder, args.each, at, args.workers) for at in range(args.workers)
    ]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(args.workers, mp_context=spawn) as pool:
        list(pool.map(theirs, shares))
    peer: dict[int, Json] = {}
    for share in shares:
        lines = share.path.read_text(encoding="utf-8").splitlines()
        peer |= {line["row"]: line for line in map(json.loads, lines)}
    result = []
    for at, (row, verdict) in enumerate(zip(rows, own, strict=True)):
        passed = bool(verdict["base"] and verdict["plus"] is not False)
        result.append(
            {
                "task": row.task_id,
                "kind": row.kind,
                "evalplus": peer[at]["verdict"],
                "evalplus_s": peer[at]["seconds"],
                "codeloop": verdict["reason"],
                "agree": (peer[at]["verdict"] == "pass") == passed,
            }
        )
    differing = [at for at, each in enumerate(result) if not each["agree"]]
    honest = [at for at in differing if rows[at].kind not in {*CHEATS, *POLICY}]
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        (again,) = pool.map(ask_again, [(name, [rows[at] for at in honest])])
    for at, said in zip(honest, again, strict=True):
        result[at] |= {"again": said, "code": rows[at].code, "verdict": own[at]}
    return result


def stable(row: Json) -> bool:
    """Whether evalplus says the same of a row each time."""
    return all((said == "pass") == (row["evalplus"] == "pass") for said in row.get("again", ()))


def print_counts(rows: list[Json]) -> None:
    """Print what came of each kind, the differences, and the figures."""
    kinds = Counter((row["kind"], row["evalplus"].split()[-1], row["codeloop"]) for row in rows)
    for (kind, peer, own), count in sorted(kinds.items()):
        print(f"{kind:32}{peer:10}{own:16}{count:6}")
    honest = [row for row in rows if row["kind"] not in {*CHEATS, *POLICY}]
    differing = [row for row in honest if not row["agree"]]
    for row in differing:
        print("differs:", json.dumps({key: row[key] for key in row if key != "code"}))
    cheats = [row for row in rows if row["kind"] in CHEATS]
    policy = [row for row in rows if row["kind"] in POLICY]
    print(f"evalplus {version('evalplus')}: {len(rows)} solutions")
    print(f"honest: {len(honest)}, {len(differing)} differ, {sum(map(stable, differing))} stably")
    print(f"policy: {len(policy)}, {sum(not row['agree'] for row in policy)} differ")
    for who in ("evalplus", "codeloop"):
        passed = sum(row[who] in {"pass", "passed"} for row in cheats)
        print(f"cheats: {len(cheats)}, {passed} pass by {who}")


def main() -> None:
    """Judge all, print the differences and the counts, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--each", type=int, default=2, help="mutants of each solution (default: 2)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=list(SOURCES))
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep all verdicts here")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all rows to a file")
    args = parser.parse_args()
    rows: list[Json] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name, (_, _, variable) in SOURCES.items():
            if args.only in {None, name}:
                unpacked = Path(temporary) / f"{name}.data.jsonl"
                unpacked.write_bytes(read_tasks(args.data, name)[0])
                os.environ[variable] = str(unpacked)
                rows += compare(name, args, folder)
    print_counts(rows)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
