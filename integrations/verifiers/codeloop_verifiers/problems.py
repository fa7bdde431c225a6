"""The problems of a benchmark as tasks: what verifiers calls a taskset."""

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import verifiers.v1 as vf

from codeloop.cli import benchmarking
from codeloop.core.dialogue import plain_messages
from codeloop.evals.benchmarks import Benchmark, benchmark
from codeloop.evals.prepared import Prepared
from codeloop.evals.run import opening
from codeloop.judge.many import RigPool


class ProblemsConfig(vf.TasksetConfig):
    """Which problems there are, and with what they are judged (`--env.taskset.*`)."""

    benchmark: str = "humaneval+"
    """A name of `codeloop eval list`, or a file of one's own problems."""
    data: Path | None = None
    """Folder of the benchmarks' files, as for `codeloop eval`."""
    workers: int = 2
    """Solutions that are judged at once."""
    memory_mb: int = benchmarking.MEMORY_MB


@dataclass(frozen=True, slots=True)
class Bench:
    """A benchmark that is ready, and what judges it."""

    benchmark: Benchmark
    prepared: Prepared
    pool: RigPool


@contextmanager
def open_bench(config: ProblemsConfig) -> Iterator[Bench]:
    """Yield the benchmark of a config, and rigs to judge it."""
    chosen = benchmark(config.benchmark)
    args = Namespace(data=config.data, workers=config.workers, memory_mb=config.memory_mb)
    with benchmarking.open_rigs(args) as pool:
        yield Bench(chosen, benchmarking.open_prepared(chosen, args, pool), pool)


class ProblemData(vf.TaskData):
    """What is told of a problem: its name and its opening; tests stay with the judge."""


class ProblemTask(vf.Task[ProblemData]):
    """A problem. What it is worth is said by the loop that plays it."""

    @property
    def key(self) -> str:
        return str(self.data.id)


class Problems(vf.Taskset[ProblemTask, ProblemsConfig]):
    """The problems of a benchmark, in its order."""

    def load(self) -> Iterator[ProblemTask]:
        with open_bench(self.config) as bench:
            for name in bench.prepared.ids:
                told = opening(bench.prepared.problem(name), bench.benchmark)
                data = ProblemData(id=name, prompt=plain_messages(told))
                yield ProblemTask(data, self.config.task)
