"""A whole dataset of 287,000 rows against a mock endpoint: what memory each step takes.

    scripts/bench whole-run --json out.json

Rows of 25 to 120 words with an answer, 8 % of them near copies, are ingested; one `codeloop dataset
run` then drops copies, reads against the benchmarks, scores by two prompts, simulates dialogues
(a share: their code is run in the jail) and packs the rest; what comes of it is published.
Memory is that of all processes of a step together (RSS, so that what they share counts twice),
looked at four times a second, and the largest process's own peak.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from dedup import texts
from mock_endpoint import mock

Json = dict[str, Any]

CONFIG = """
[run]
in_flight = 64
[[input]]
file = "queries.jsonl"
{models}
[sandbox]
sessions = 8
[[stage]]
name = "dedup"
[[stage]]
name = "decontaminate"
against = {against}
run = false
[[stage]]
name = "complexity"
[[stage]]
name = "simulate"
share = {share}
[[stage]]
name = "pack"
[[stage]]
name = "decontaminate_examples"
against = {against}
run = false
"""
MODEL = """
[models.{role}]
name = "{role}"
base_url = "http://127.0.0.1:{port}/v1"
streamed = false
"""
ROLES = ("judge", "writer", "fixer", "user")
STEPS = {  # a stage that takes all rows together keeps what comes to it in a file, by its place
    "spool-1.tmp": "run: dedup",
    "spool-4.tmp": "run: decontaminate, complexity, simulate",
    "spool-5.tmp": "run: pack",
}
LOOK_S = 0.25


def write_input(folder: Path, rows: int) -> None:
    """Write rows as a published set has them."""
    dice = random.Random(2)
    with (folder / "raw.jsonl").open("w", encoding="utf-8") as file:
        for number, text in enumerate(texts(rows, 1)[0]):
            code = f"```python\ndef f{number}(x):\n    return x + {dice.randrange(10**6)}\n```"
            answer = f"{' '.join(dice.choices(text.split(), k=40))}\n\n{code}"
            file.write(json.dumps({"instruction": text, "output": answer}) + "\n")


def write_config(folder: Path, port: int, args: argparse.Namespace) -> None:
    """Write what the run is to do."""
    models = "".join(MODEL.format(role=role, port=port) for role in ROLES)
    against = json.dumps(args.against)
    text = CONFIG.format(models=models, share=args.share, against=against)
    (folder / "build.toml").write_text(text, encoding="utf-8")


def tree(pid: int) -> Iterator[int]:
    """Yield a process and all below it."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                yield from tree(int(child))


def memory_kib(pid: int, name: str) -> int:
    """Return a figure of `/proc/PID/status`; 0 where the process is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0


def step_of(folder: Path) -> str:
    """Return what a run does just now, by the files that it has there: the last one that is."""
    if (folder / "made.jsonl").exists():
        return "run: decontaminate_examples, files"
    with suppress(OSError):
        if (folder / "made.jsonl.tmp").stat().st_size:
            return "run: decontaminate_examples, files"
    there = [name for spool, name in STEPS.items() if (folder / spool).exists()]
    return there[-1] if there else "run: read"


def watched(words: list[str], step: Callable[[], str]) -> Json:
    """Run a command of ours; return for each step seconds and the most memory, in MiB."""
    command = [sys.executable, "-m", "codeloop", "dataset", *words]
    found: Json = {}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
        while running.poll() is None:
            start = time.monotonic()
            held = [memory_kib(each, "VmRSS") for each in tree(running.pid)]
            own_mb = memory_kib(running.pid, "VmHWM") / 1024
            now = found.setdefault(step(), {"s": 0.0, "together_mb": 0.0, "peak_so_far_mb": 0.0})
            now["together_mb"] = max(now["together_mb"], sum(held) / 1024)
            now["peak_so_far_mb"] = max(now["peak_so_far_mb"], own_mb)
            time.sleep(LOOK_S)
            now["s"] += time.monotonic() - start
    if running.returncode not in {0, 1}:  # 1: rows failed, which are counted
        sys.exit(f"{' '.join(words)}: status {running.returncode}")
    for name, each in found.items():
        print(name, {key: round(value, 1) for key, value in each.items()}, flush=True)
    return found


def whole(folder: Path, args: argparse.Namespace) -> Json:
    """Go through all steps; return what each took."""
    out, queries, published = folder / "build", folder / "queries.jsonl", folder / "published"
    figures = watched(
        ["ingest", str(folder / "raw.jsonl"), "--licence", "none", "--out", str(queries)],
        lambda: "ingest",
    )
    with mock("--roles") as port:
        write_config(folder, port, args)
        words = ["run", str(folder / "build.toml"), "--out", str(out)]
        figures |= watched(words, lambda: step_of(out))
    words = ["card", str(out / "made.jsonl"), "--funnel", str(out / "funnel.json")]
    figures |= watched([*words, "--out", str(published)], lambda: "card")
    stages = json.loads((out / "funnel.json").read_text(encoding="utf-8"))["stages"]
    return {"rows": args.rows, "steps": figures, "stages": stages}


def main() -> None:
    """Run, print what each step took, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=287_000)
    parser.add_argument("--share", type=float, default=0.002, help="of the rows, simulated")
    parser.add_argument("--against", nargs="*", default=["humaneval+", "mbpp+", "mbpp"])
    parser.add_argument("--folder", type=Path, help="kept; default: one that is removed")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures to a file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as own:
        folder = args.folder or Path(own)
        folder.mkdir(parents=True, exist_ok=True)
        write_input(folder, args.rows)
        figures = whole(folder, args)
    figures["peak_mb"] = max(each["together_mb"] for each in figures["steps"].values())
    for each in figures["stages"]:
        print(each)
    print(f"the most at any time: {figures['peak_mb']:.0f} MiB")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
