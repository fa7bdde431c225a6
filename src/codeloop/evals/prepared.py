"""Benchmarks made ready once: what references tell is worked out, and kept in one file each.

The file is a zip. A member holds one problem, so that nobody has to hold two; values are written
as judge and tester write them to each other. Long expected values are digests.
"""

import os
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from codeloop.core.errors import DataError, SandboxError
from codeloop.core.execution import TrialLimits
from codeloop.core.ordered import in_order
from codeloop.core.problem import (
    AnswerTests,
    CheckTests,
    FunctionTests,
    PackedTests,
    Problem,
    ProgramTests,
    ScriptTests,
    StdioCase,
    StdioTests,
    Tests,
)
from codeloop.evals.benchmarks import Benchmark
from codeloop.judge.guest.wire import WireError, decode, encode
from codeloop.judge.many import RigPool
from codeloop.judge.packing import pack

FORMAT = 3  # goes up when what is worked out, or how it is written, changes

_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (AnswerTests, CheckTests, PackedTests, ProgramTests, ScriptTests)
}
_IDLE_S = 4.0  # that a call may sleep; evalplus gives as much by the clock, all told
_MORE_TIME = 4  # times what the reference took for its slowest call, as evalplus gives


class Prepared:
    """The problems of a prepared benchmark, read one at a time; threads may share it."""

    def __init__(self, path: Path, benchmark: Benchmark) -> None:
        """Open the file.

        Raises:
            DataError: it is damaged.
        """
        self.benchmark = benchmark
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            msg = f"{path}: damaged ({error}); remove it, and it is made again"
            raise DataError(msg) from error
        self.ids = tuple(self._zip.namelist())

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, problem_id: str) -> bool:
        return problem_id in self._zip.NameToInfo

    def problem(self, problem_id: str) -> Problem:
        """Return a problem.

        Raises:
            DataError: the file is damaged.
            KeyError: there is none of that name.
        """
        try:
            return _problem(decode(self._zip.read(problem_id))[0])
        except (WireError, zipfile.BadZipFile, ValueError, TypeError) as error:
            raise self._damaged(problem_id, error) from error

    def reference_s(self, problem_id: str) -> float:
        """Return the processor seconds that the reference took for all tests; 0 if it did not run.

        Raises:
            DataError: the file is damaged.
            KeyError: there is none of that name.
        """
        try:
            return float(self._zip.getinfo(problem_id).comment)
        except ValueError as error:
            raise self._damaged(problem_id, error) from error

    def _damaged(self, problem_id: str, error: Exception) -> DataError:
        return DataError(
            f"{self._path}: {problem_id}: damaged ({error}); remove it, and it is made again"
        )

    def problems(self) -> Iterator[Problem]:
        """Yield all, in the benchmark's order."""
        return map(self.problem, self.ids)

    def close(self) -> None:
        self._zip.close()


def prepared_path(folder: Path, benchmark: Benchmark) -> Path:
    """Return where a prepared benchmark lies; another source or format has another place."""
    return folder / f"{benchmark}-{FORMAT}-{benchmark.sha256[:12]}.zip"


def prepare(
    benchmark: Benchmark, data: Path, folder: Path, pool: RigPool, *, threads: int
) -> Iterator[int]:
    """Make a benchmark ready; yield how many problems are, after each.

    Raises:
        DataError: the source is not what it should be, or a file cannot be written.
        SandboxError: a rig failed, or a reference fails its own visible tests and all else.
    """
    path = prepared_path(folder, benchmark)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=path.stem, delete=False) as file:
            try:
                made = in_order(
                    lambda problem: _worked_out(problem, pool),
                    benchmark.problems(data),
                    threads=threads,
                )
                with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                    for count, (problem, reference_s) in enumerate(made, start=1):
                        member = zipfile.ZipInfo(problem.id)
                        member.comment = repr(reference_s).encode()
                        packed = encode(_facts(problem))
                        archive.writestr(member, packed, zipfile.ZIP_DEFLATED)
                        yield count
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink()
                raise
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror})"
        raise DataError(msg) from error


def _worked_out(problem: Problem, pool: RigPool) -> tuple[Problem, float]:
    """Return a problem with packed tests, time for its reference, and visible tests that hold.

    Beside it: the processor seconds that the reference took.
    """
    limits, reference_s = TrialLimits(), 0.0
    packed: list[tuple[Tests, ...]] = []
    for group in (problem.tests, problem.hidden):
        done: list[Tests] = []
        for tests in group:
            if isinstance(tests, FunctionTests):
                with pool.lend() as rig:
                    packing = pack(tests, problem.entry_point, rig)
                reference_s += packing.cpu_s
                limits = replace(
                    limits,
                    cpu_s=max(limits.cpu_s, _MORE_TIME * packing.cpu_s),
                    step_cpu_s=max(limits.step_cpu_s, _MORE_TIME * packing.slowest_cpu_s),
                )
                done.append(packing.tests)
            else:
                done.append(tests)
        packed.append(tuple(done))
    problem = replace(problem, tests=packed[0], hidden=packed[1], limits=limits)
    return replace(problem, visible=_that_hold(problem, pool)), reference_s


def _that_hold(problem: Problem, pool: RigPool) -> tuple[Tests, ...]:
    """Return the visible tests without the asserts that the reference itself fails."""
    if not problem.visible or not problem.reference or _pass(problem, problem.visible, pool):
        return problem.visible
    held: list[Tests] = []
    for tests in problem.visible:
        if isinstance(tests, CheckTests):
            lines = [CheckTests(line, tests.setup) for line in tests.source.split("\n")]
            good = [line.source for line in lines if _pass(problem, (line,), pool)]
            if good:
                held.append(CheckTests("\n".join(good), tests.setup))
    return tuple(held)


def _pass(problem: Problem, tests: Sequence[Tests], pool: RigPool) -> bool:
    bare = replace(problem, preamble="")
    try:
        return pool.judge(bare, problem.reference, tests=tests).passed
    except SandboxError:  # a test that is itself at fault
        return False


def _facts(problem: Problem) -> dict[str, Any]:
    """Return a problem as plain data."""
    facts: dict[str, Any] = {each.name: getattr(problem, each.name) for each in fields(problem)}
    for group in ("tests", "visible", "hidden"):
        facts[group] = [_test_facts(tests) for tests in facts[group]]
    limits = problem.limits
    facts["limits"] = [getattr(limits, each.name) for each in fields(limits)]
    return facts


def _test_facts(tests: Tests) -> tuple[Any, ...]:
    if isinstance(tests, StdioTests):
        return "StdioTests", [(case.stdin, case.stdout) for case in tests.cases]
    return type(tests).__name__, *(getattr(tests, each.name) for each in fields(tests))


def _problem(facts: dict[str, Any]) -> Problem:
    for group in ("tests", "visible", "hidden"):
        facts[group] = tuple(_tests(*each) for each in facts[group])
    limits = TrialLimits(*facts["limits"])
    if any(isinstance(each, PackedTests) for each in facts["tests"]):
        limits = replace(limits, step_wall_s=_IDLE_S)
    facts["limits"] = limits
    return Problem(**facts)


def _tests(kind: str, *values: Any) -> Tests:
    if kind == "StdioTests":
        return StdioTests(tuple(StdioCase(*case) for case in values[0]))
    tests: Tests = _KINDS[kind](*values)
    return tests
