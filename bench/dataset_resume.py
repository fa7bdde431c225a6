"""A run of many turns and real runs that is killed again and again, next to one that is not.

    scripts/bench dataset-resume --json out.json

1,000 rows of two turns, each with a run in the jail, against a mock endpoint that counts calls.
One run goes to its end; another is killed with SIGKILL at ten random points and started again.
Both have to leave the same bytes, and no more calls may be repeated than were in flight.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from mock_endpoint import mock

Json = dict[str, Any]

FILES = ("made.jsonl", "left.jsonl", "failed.jsonl", "funnel.json")
CONFIG = """
[run]
in_flight = {in_flight}
[[input]]
file = "queries.jsonl"
[models.writer]
name = "mock"
base_url = "http://127.0.0.1:{port}/v1"
in_flight = {in_flight}
[sandbox]
[[stage]]
name = "refine"
"""


def stats(port: int) -> Json:
    """Return what the endpoint has counted."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats") as answer:
        counted: Json = json.load(answer)
    return counted


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a run."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}


def prepare(folder: Path, port: int, args: argparse.Namespace) -> list[str]:
    """Write queries and config; return the command of the run, but for its folder."""
    folder.mkdir(parents=True)
    lines = [json.dumps({"schema": 1, "query": f"Question {n}"}) for n in range(args.rows)]
    (folder / "queries.jsonl").write_text("\n".join(lines) + "\n")
    text = CONFIG.format(in_flight=args.in_flight, port=port)
    (folder / "build.toml").write_text(text)
    command = [sys.executable, "-m", "codeloop", "dataset", "run", str(folder / "build.toml")]
    return [*command, "--out"]


def killed(command: list[str], port: int, calls: int) -> bool:
    """Start the run, kill it once the endpoint has served so many calls; return whether it was."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True) as running:
        while running.poll() is None:
            if stats(port)["served"] >= calls:
                os.killpg(running.pid, signal.SIGKILL)
                return True
            time.sleep(0.01)
    return False


def main() -> None:
    """Run both, print what came of it, write the JSON; exit status 1 if it is not as it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--in-flight", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures to a file")
    args = parser.parse_args()
    options = ("--dialogues", "--latency-s", "0.03")
    with tempfile.TemporaryDirectory() as root:
        with mock(*options) as port:
            out = Path(root) / "whole"
            start = time.perf_counter()
            command = prepare(Path(root) / "a", port, args)
            subprocess.run([*command, str(out)], check=True, stdout=subprocess.DEVNULL)
            whole_s, whole, expected = time.perf_counter() - start, digests(out), stats(port)
        with mock(*options) as port:
            out = Path(root) / "killed"
            command = [*prepare(Path(root) / "b", port, args), str(out)]
            points = sorted(random.Random(args.seed).sample(range(2, 2 * args.rows), args.kills))
            kills = sum(killed(command, port, calls) for calls in points)
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            again, counted = digests(out), stats(port)
    repeated = counted["served"] - counted["distinct"]
    figures = {
        "rows": args.rows,
        "in_flight": args.in_flight,
        "kills": kills,
        "points": points,
        "whole_s": whole_s,
        "calls_undisturbed": expected["served"],
        "calls_killed": counted["served"],
        "repeated": repeated,
        "most_allowed": kills * args.in_flight,
        "same_bytes": whole == again,
    }
    print(json.dumps(figures, indent=2))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")
    if whole != again or repeated > kills * args.in_flight or kills != args.kills:
        sys.exit(1)


if __name__ == "__main__":
    main()
