# /// script
# requires-python = ">=3.11"
# dependencies = ["evalplus==0.3.1"]
# ///
"""Whether codeloop's judge and evalplus agree on honest code, mutants, crashes and endless loops.

    scripts/bench agreement --data DATA --json out.json

Every canonical solution of HumanEval+ and MBPP+ is judged by both, and mutants of it: changed
operators, constants, comparisons and branches, crashes, loops without an end. Prints each
difference. DATA holds humanevalplus/HumanEvalPlus.jsonl.gz and mbppplus/MbppPlus.jsonl.gz.
"""

import argparse
import ast
import gzip
import json
import multiprocessing
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from codeloop.core.execution import MIB, ExecutionLimits
from codeloop.core.problem import Problem
from codeloop.evals.benchmarks import benchmark
from codeloop.judge.judging import judge
from codeloop.judge.programs import rig_programs
from codeloop.sandbox import open_sandbox

Json = dict[str, Any]

LIMITS = ExecutionLimits(memory_bytes=4096 * MIB)  # as evalplus gives
SWAPS: dict[type, type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.FloorDiv,
    ast.Mod: ast.FloorDiv,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


class Mutation(ast.NodeTransformer):
    """Changes the n-th place that can be changed; counts the places."""

    def __init__(self, place: int) -> None:
        self.place = place
        self.count = 0

    def _here(self) -> bool:
        self.count += 1
        return self.count - 1 == self.place

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        swapped = SWAPS.get(type(node))
        if swapped is not None and self._here():
            return swapped()
        if isinstance(node, ast.Constant) and type(node.value) is int and self._here():
            return ast.copy_location(ast.Constant(node.value + 1), node)
        if isinstance(node, ast.Return) and node.value is not None and self._here():
            return ast.copy_location(ast.Return(ast.Constant(None)), node)
        if isinstance(node, ast.If | ast.While) and self._here():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        return node


def mutants(source: str, count: int, dice: random.Random) -> Iterator[str]:
    """Yield mutants of a source, each with one place changed."""
    everywhere = Mutation(-1)
    everywhere.visit(ast.parse(source))
    for place in dice.sample(range(everywhere.count), min(count, everywhere.count)):
        tree = Mutation(place).visit(ast.parse(source))
        yield ast.unparse(ast.fix_missing_locations(tree))


def misbehaving(source: str, name: str, at: int) -> Iterator[tuple[str, str]]:
    """Yield, for some tasks, solutions that crash, never end, or end too early."""
    kinds = {
        "raises": f"{source}\ndef {name}(*a): raise ValueError('no')\n",
        "undefined": f"{source}\ndel {name}\n",
        "syntax": f"{source}\n)\n",
        "endless": f"{source}\ndef {name}(*a):\n    while True: pass\n",
        "recursion": f"{source}\ndef {name}(*a): return {name}(*a)\n",
        "generator": f"{source}\n_f = {name}\ndef {name}(*a):\n    yield _f(*a)\n",
        "exits": f"{source}\nimport sys\ndef {name}(*a): sys.exit(0)\n",
        "crashes": f"{source}\nimport ctypes\ndef {name}(*a): ctypes.string_at(0)\n",
    }
    kind = list(kinds)[at % (3 * len(kinds)) % len(kinds)]
    if at % 3 == 0:
        yield kind, kinds[kind]


def solutions(
    tasks: list[tuple[str, Json]], each: int
) -> Iterator[tuple[str, Json, list[tuple[str, str]]]]:
    """Yield each task with its data set and its solutions, each after the kind that it is of."""
    for at, (dataset, task) in enumerate(tasks):
        source = task["prompt"] + task["canonical_solution"]
        dice = random.Random(task["task_id"])
        given = [("canonical", source)]
        given += [("mutant", mutant) for mutant in mutants(source, each, dice)]
        given += misbehaving(source, task["entry_point"], at)
        yield dataset, task, given


def peer_verdict(dataset: str, task: Json, truth: Json, code: str) -> str:
    """Return evalplus's verdict: base, then plus."""
    from evalplus.eval import untrusted_check  # noqa: PLC0415  it is slow to import

    for group in ("base", "plus"):
        inputs = task[f"{group}_input"]
        if not len(inputs):
            continue
        status, _ = untrusted_check(
            dataset,
            code,
            inputs,
            task["entry_point"],
            truth[group],
            task["atol"],
            truth[f"{group}_time"],
            fast_check=True,
            min_time_limit=4.0,
        )
        if status != "pass":
            return f"{group} {status}"
    return "pass"


def work(arguments: tuple[str, str, int, int, int]) -> list[Json]:
    """Judge a share of all tasks by both; return a row for each solution."""
    data, limit_to, each, share, shares = arguments
    from evalplus.data import get_human_eval_plus, get_mbpp_plus  # noqa: PLC0415
    from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS  # noqa: PLC0415
    from evalplus.gen.util import trusted_exec  # noqa: PLC0415

    multiprocessing.set_start_method("fork", force=True)  # as evalplus is used; we were spawned
    tasks = [("humaneval", task) for task in get_human_eval_plus().values()]
    tasks += [("mbpp", task) for task in get_mbpp_plus().values()]
    problems: dict[str, Problem] = {
        problem.id: replace(problem, preamble="")
        for name in ("humaneval+", "mbpp+")
        for problem in benchmark(name).problems(Path(data))
    }
    chosen = [each for each in tasks if not limit_to or each[1]["task_id"] in limit_to.split(",")]
    result = []
    with open_sandbox() as sandbox:
        rig = sandbox.open_rig(rig_programs(), limits=LIMITS)
        for dataset, task, given in list(solutions(chosen, each))[share::shares]:
            name = task["entry_point"]
            truth: Json = {}
            for group in ("base", "plus"):
                truth[group], truth[f"{group}_time"] = trusted_exec(
                    task["prompt"] + task["canonical_solution"],
                    task[f"{group}_input"],
                    name,
                    record_time=True,
                    output_not_none=name in MBPP_OUTPUT_NOT_NONE_TASKS,
                )
            for kind, code in given:
                start = time.perf_counter()
                theirs = peer_verdict(dataset, task, truth, code)
                between = time.perf_counter()
                verdict = judge(problems[task["task_id"]], code, rig)
                row = {
                    "task": task["task_id"],
                    "kind": kind,
                    "evalplus": theirs,
                    "evalplus_s": round(between - start, 3),
                    "codeloop": str(verdict.reason),
                    "codeloop_s": round(time.perf_counter() - between, 3),
                    "agree": (theirs == "pass") == verdict.passed,
                }
                if not row["agree"]:
                    row |= {"verdict": repr(verdict)[:1500], "code": code}
                    print(json.dumps(row), flush=True)
                result.append(row)
    return result


def main() -> None:
    """Judge all, print the differences and the counts, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--each", type=int, default=2, help="mutants of each solution (default: 2)")
    parser.add_argument("--tasks", default="", help="only these, separated by commas")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all rows to a file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for variable, path in (
            ("HUMANEVAL_OVERRIDE_PATH", "humanevalplus/HumanEvalPlus.jsonl.gz"),
            ("MBPP_OVERRIDE_PATH", "mbppplus/MbppPlus.jsonl.gz"),
        ):
            unpacked = Path(folder) / Path(path).stem
            unpacked.write_bytes(gzip.decompress((args.data / path).read_bytes()))
            os.environ[variable] = str(unpacked)
        shares = [
            (str(args.data), args.tasks, args.each, share, args.workers)
            for share in range(args.workers)
        ]
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(args.workers, mp_context=spawn) as pool:
            rows = [row for part in pool.map(work, shares) for row in part]
    kinds = Counter((row["kind"], row["evalplus"].split()[-1], row["codeloop"]) for row in rows)
    for (kind, theirs, ours), count in sorted(kinds.items()):
        print(f"{kind:12}{theirs:10}{ours:16}{count:6}")
    print(f"{len(rows)} solutions, {sum(not row['agree'] for row in rows)} differences")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
