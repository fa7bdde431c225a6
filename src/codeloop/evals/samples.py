"""Reads solutions that are to be judged, as evalplus and human-eval write them."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from codeloop.core.errors import DataError
from codeloop.evals.prepared import Prepared
from codeloop.evals.rows import read_rows


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
