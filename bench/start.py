# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""How long codeloop takes to start, next to a Python that does nothing; JSON with `--json PATH`."""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

PROGRAMS = {
    "python -c pass": ["-c", "pass"],
    "import codeloop": ["-c", "import codeloop"],
    "all public names": ["-c", "from codeloop import *"],
    "codeloop --help": ["-m", "codeloop", "--help"],
}
TARGETS = {"import codeloop": ("cpu_s", 0.1), "codeloop --help": ("wall_s", 0.3)}


def measure(python: Path, arguments: list[str]) -> tuple[float, float]:
    """Return the processor and the wall seconds of one run."""
    before, start = getrusage(RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([python, *arguments], stdout=subprocess.DEVNULL, check=True)
    wall_s, after = time.perf_counter() - start, getrusage(RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, wall_s


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=21, help="runs of each program (default: 21)")
    parser.add_argument(
        "--python",
        type=Path,
        default=Path(__file__).parents[1] / ".venv" / "bin" / "python",
        help="the interpreter of an installation (default: that of the checkout)",
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures to a file")
    args = parser.parse_args()

    times: dict[str, list[tuple[float, float]]] = {name: [] for name in PROGRAMS}
    for _ in range(args.runs):  # interleaved: what else the machine does hits all alike
        for name, arguments in PROGRAMS.items():
            times[name].append(measure(args.python, arguments))

    rows = {
        name: {
            "cpu_s": round(statistics.median(cpu for cpu, _ in runs), 4),
            "wall_s": round(statistics.median(wall for _, wall in runs), 4),
            "wall_s_min": round(min(wall for _, wall in runs), 4),
        }
        for name, runs in times.items()
    }
    idle_s = rows["python -c pass"]["wall_s"]
    print(f"{'':18}{'cpu s':>8}{'wall s':>8}{'min':>8}{'x idle':>8}  target")
    for name, row in rows.items():
        column, limit = TARGETS.get(name, ("", 0.0))
        verdict = (
            f"{column} < {limit}: {'met' if row[column] < limit else 'MISSED'}" if column else ""
        )
        ratio = row["wall_s"] / idle_s
        print(
            f"{name:18}{row['cpu_s']:8.3f}{row['wall_s']:8.3f}{row['wall_s_min']:8.3f}"
            f"{ratio:8.1f}  {verdict}"
        )
    if args.json:
        report = {
            "python": str(args.python),
            "version": sys.version,
            "runs": args.runs,
            "programs": rows,
        }
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
