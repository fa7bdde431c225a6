# /// script
# requires-python = ">=3.11"
# ///
"""What the default model solves through `codeloop run`, and on which turn.

    scripts/bench first_use --humaneval HumanEval.jsonl.gz --csv seattle-weather.csv

HumanEval's tests are never shown to the model: the only feedback is what its own code printed.
A turn's code solves a task if it passes the task's tests, by `codeloop exec`.
"""

import argparse
import gzip
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]

REQUEST = """\
Write this Python function, whole, with the imports that it needs. After it, check each example
of its docstring with an assert.

```python
{prompt}```
"""

QUESTIONS = (
    ("On which date was temp_max highest, and how high was it?", (r"2014.08.11", r"35\.6")),
    ("On how many days was the weather 'snow'?", (r"\b23\b",)),
    (
        "Which month of which year had the largest total precipitation, and how much was it?",
        (r"2015.12|December.*2015", r"284\.(5|4999|50)"),
    ),
    ("What is the mean of the column wind, rounded to 2 decimals?", (r"\b3\.24\b",)),
    (
        "What is the total precipitation of each year?",
        (r"12(26|25\.9)", r"82(8|7\.9)", r"1139\.[12]"),
    ),
)


@dataclass(frozen=True)
class Row:
    """What became of one task; turns count from 1, 0 means never."""

    task: str
    solved_on_turn: int
    last_turn_solves: bool
    turns: int
    reason: str
    tokens: int
    wall_s: float


def main() -> None:
    """Run the tasks, print a table, write JSON."""
    args = _arguments()
    problems = _problems(args.humaneval)[args.first : args.first + args.count]
    tasks = [(problem["task_id"], _humaneval(problem, args)) for problem in problems]
    tasks += [(f"csv/{n}", _question(q, want, args)) for n, (q, want) in enumerate(QUESTIONS)]
    rows = []
    for name, run in tasks:
        row = run(name)
        rows.append(row)
        print(
            f"{name:<14} solved on turn {row.solved_on_turn or '-'} of {row.turns}, "
            f"{row.reason}, {row.wall_s:.1f} s",
            flush=True,
        )
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
    for name in ("HumanEval", "csv"):
        _summary(name, [row for row in rows if row.task.startswith(name)])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    data = Path(os.environ.get("CODELOOP_DATA", "."))
    default = data / "humaneval" / "HumanEval.jsonl.gz"
    parser.add_argument("--humaneval", type=Path, default=default)
    parser.add_argument(
        "--csv", type=Path, required=True, help="seattle-weather.csv (vega_datasets)"
    )
    parser.add_argument("--first", type=int, default=0, help="of HumanEval's tasks to run")
    parser.add_argument("--count", type=int, default=30, help="of HumanEval's first tasks")
    parser.add_argument("--json", type=Path, default=Path("bench/out/first_use.json"))
    parser.add_argument("options", nargs="*", help="after --: more options of `codeloop run`")
    return parser.parse_args()


def _problems(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _codeloop(*words: str, given: str) -> Json:
    done = subprocess.run(
        [sys.executable, "-m", "codeloop", *words],
        input=given,
        text=True,
        stdout=subprocess.PIPE,
        check=False,
    )
    if not done.stdout:
        sys.exit(f"codeloop {words[0]} printed nothing; exit status {done.returncode}")
    answer: Json = json.loads(done.stdout)
    return answer


def _ask(query: str, *words: str) -> tuple[Json, float]:
    start = time.perf_counter()
    answer = _codeloop("run", "-", "--json", *words, given=query)
    return answer, time.perf_counter() - start


def _humaneval(problem: dict[str, str], args: argparse.Namespace) -> Callable[[str], Row]:
    def run(name: str) -> Row:
        answer, wall_s = _ask(REQUEST.format(prompt=problem["prompt"]), *args.options)
        return _row(name, answer, wall_s, lambda turn: _passes(turn, problem))

    return run


def _question(
    question: str, wanted: tuple[str, ...], args: argparse.Namespace
) -> Callable[[str], Row]:
    def run(name: str) -> Row:
        answer, wall_s = _ask(question, "--file", str(args.csv), *args.options)
        return _row(name, answer, wall_s, lambda turn: _prints(turn, wanted))

    return run


def _row(name: str, answer: Json, wall_s: float, solves: Callable[[Json], bool]) -> Row:
    turns = answer["dialogue"]["turns"]
    solved = [number for number, turn in enumerate(turns, start=1) if solves(turn)]
    tokens = sum(sum(turn["usage"].values()) for turn in turns)
    first = solved[0] if solved else 0
    last = len(turns) in solved
    return Row(name, first, last, len(turns), answer["reason"], tokens, round(wall_s, 2))


def _passes(turn: Json, problem: dict[str, str]) -> bool:
    code = "\n".join(cell["code"] for cell in turn["cells"] if cell["result"])
    program = f"{code}\n{problem['test']}\ncheck({problem['entry_point']})\n"
    return bool(code) and _codeloop("exec", "-", "--json", given=program)["status"] == "ok"


def _prints(turn: Json, wanted: tuple[str, ...]) -> bool:
    results = [cell["result"] for cell in turn["cells"] if cell["result"]]
    shown = "\n".join(
        result["stdout"]["text"] + str(result["displays"])
        for result in results
        if result["status"] == "ok"
    )
    return all(re.search(pattern, shown) for pattern in wanted)


def _summary(name: str, rows: list[Row]) -> None:
    turns = max((row.solved_on_turn for row in rows), default=0)
    by_turn = [sum(row.solved_on_turn == turn for row in rows) for turn in range(1, turns + 1)]
    counts = ", ".join(f"{count} on turn {turn}" for turn, count in enumerate(by_turn, start=1))
    lasts = sum(row.last_turn_solves for row in rows)
    print(f"{name}: {sum(by_turn)} of {len(rows)} solved ({counts}); {lasts} by the last turn")


if __name__ == "__main__":
    main()
