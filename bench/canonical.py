# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""Run the canonical solutions of HumanEval-X and MBXP against their tests, in every language."""

import argparse
import gzip
import json
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import local

from codeloop.cli import wiring
from codeloop.core.execution import ExecutionLimits, ExecutionResult, Status
from codeloop.evals.multilingual import GO_ASSERT, STARTS
from codeloop.sandbox import Sandbox, open_sandbox

LIMITS = ExecutionLimits(cpu_s=30.0, wall_s=120.0)
FILES = {
    "humaneval_x/humaneval-x-python": "python",
    "humaneval_x/humaneval-x-js": "javascript",
    "humaneval_x/humaneval-x-java": "java",
    "humaneval_x/humaneval-x-go": "go",
    "humaneval_x/humaneval-x-cpp": "cpp",
    "humaneval_x/humaneval-x-rust": "rust",
    "mbxp/mbxp-py": "python",
    "mbxp/mbxp-js": "javascript",
    "mbxp/mbxp-ts": "typescript",
    "mbxp/mbxp-java": "java",
    "mbxp/mbxp-cpp": "cpp",
    "mbxp/mbxp-go": "go",
    "mbxp/mbxp-ruby": "ruby",
    "mbxp/mbxp-php": "php",
    "mbxp/mbxp-perl": "perl",
}
# What the benchmark's own runner imports where a program uses it without saying so.
GO_IMPORTS = (
    *("math", "strings", "fmt", "strconv", "time", "bytes", "regexp", "sort", "math/rand"),
    "crypto/md5",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One solution: whether it passes its tests, and what was said if not."""

    file: str
    task: str
    passed: bool
    status: str
    said: str
    wall_s: float


def program(file: str, row: dict[str, str]) -> str:
    """Return a solution and its tests as one program."""
    text = row["prompt"] + row["canonical_solution"] + "\n" + row["test"]
    match file.rpartition("-")[2] if file.startswith("humaneval_x") else "":
        case "js":
            return STARTS["javascript"] + text
        case "cpp":
            return STARTS["cpp"] + text
        case "go":
            return _go(row)
        case "rust":
            return _rust(row)
        case _:
            return text


def _go(row: dict[str, str]) -> str:
    """Return a program whose `main` is what `go test` would have made."""
    body = row["prompt"].replace(row["import"], "") + row["canonical_solution"] + row["test"]
    named = set(re.findall(r'"([\w/]+)"\n', row["test_setup"] + row["import"]))
    code = re.sub(r"//[^\n]*", "", body)
    used = {path for path in GO_IMPORTS if re.search(rf"\b{path.rpartition('/')[2]}\.", code)}
    imports = "".join(f'import "{path}"\n' for path in sorted(named | used | {"testing"}))
    tests = ", ".join(
        f'{{"{name}", {name}}}' for name in re.findall(r"func (Test\w+)", row["test"])
    )
    start = (
        "\nfunc main() {\n\ttesting.Main(func(_, _ string) (bool, error) { return true, nil }, "
        f"[]testing.InternalTest{{{tests}}}, nil, nil)\n}}\n"
    )
    head = f'package main\n{imports}import reflected "reflect"\n'
    return head + body + GO_ASSERT + start


def _rust(row: dict[str, str]) -> str:
    """Return a program whose `main` calls the tests, without the crates that it does not use."""
    body = row["canonical_solution"] + row["test"]
    head = row["declaration"]
    for crate, use in (
        ("rand", "use rand::Rng;"),
        ("regex", "use regex::Regex;"),
        ("md5", "use md5;"),
    ):
        if not re.search(
            {"rand": r"\brand::|gen_range", "regex": "Regex", "md5": "md5::"}[crate], body
        ):
            head = head.replace(use, "")
    tests = row["test"].replace("#[cfg(test)]", "").replace("#[test]", "pub")
    calls = "".join(f"    tests::{name}();\n" for name in re.findall(r"fn (\w+)\(\)", tests))
    return f"{head}{row['canonical_solution']}{tests}\nfn main() {{\n{calls}}}\n"


def load(data: Path, file: str) -> list[dict[str, str]]:
    """Return the problems of one file."""
    with gzip.open(data / f"{file}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


class Runner:
    """Runs programs, each thread in a session of its own."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._mine = local()

    def run(self, file: str, row: dict[str, str]) -> Outcome:
        """Run one solution with its tests."""
        if not hasattr(self._mine, "session"):
            self._mine.session = self._sandbox.open_session(stateful=False, limits=LIMITS)
        start = time.monotonic()
        *_, result = self._mine.session.run(program(file, row), language=FILES[file])
        assert isinstance(result, ExecutionResult)
        passed = result.status is Status.OK
        said = "" if passed else reason(result)
        took = round(time.monotonic() - start, 2)
        return Outcome(file, row["task_id"], passed, result.status, said, took)


def reason(result: ExecutionResult) -> str:
    """Return the line of a failed run that says most."""
    text = result.stderr.text or result.stdout.text
    lines = [line for line in text.splitlines() if not line.startswith(("#", "console.assert"))]
    telling = [
        line
        for line in lines
        if re.search(r"error|exception|assert|panick|want ", line, re.IGNORECASE)
    ]
    return (telling or lines or [""])[0].strip()[:200]


def chosen(
    data: Path, args: argparse.Namespace, here: frozenset[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the solutions that are to run, with the file that each is from."""
    for file, language in FILES.items():
        if language in here and (args.only is None or args.only in file):
            rows = [row for row in load(data, file) if row.get("canonical_solution")]
            for row in rows[:: args.every]:
                yield file, row


def main() -> None:
    """Run, print the table and each failure, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("CODELOOP_DATA"), help="default: $CODELOOP_DATA"
    )
    parser.add_argument("--only", metavar="TEXT", help="files with this in their name")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="one solution of N")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the outcomes to a file")
    args = parser.parse_args()
    with open_sandbox(toolchain=wiring.toolchain()) as sandbox:
        here = sandbox.open_session(stateful=False).languages
        runner = Runner(sandbox)
        with ThreadPoolExecutor(args.workers) as pool:
            waiting = [pool.submit(runner.run, *each) for each in chosen(args.data, args, here)]
            outcomes = [each.result() for each in waiting]
    report(outcomes, args.data)
    if args.json:
        rows = [asdict(outcome) for outcome in outcomes]
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def report(outcomes: list[Outcome], data: Path) -> None:
    """Print a line for each file, and one for each failure."""
    by_file: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_file[outcome.file].append(outcome)
    print(f"{'':30}{'passed':>8}{'run':>6}{'rows':>6}  failures by status")
    for file in FILES:
        runs = by_file[file]
        failed = Counter(str(each.status) for each in runs if not each.passed)
        passed = sum(each.passed for each in runs)
        print(f"{file:30}{passed:8}{len(runs):6}{len(load(data, file)):6}  {dict(failed) or ''}")
    for outcome in outcomes:
        if not outcome.passed:
            print(f"{outcome.file} {outcome.task} {outcome.status}: {outcome.said}")


if __name__ == "__main__":
    main()
