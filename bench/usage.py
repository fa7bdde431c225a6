"""Processor seconds of a command and of all that descends from it, whoever buries them.

By a control group of its own (cgroup v1, cpuacct) where one can be made. Elsewhere they are those
of the whole machine, so that nothing else may run.
"""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path("/sys/fs/cgroup/cpuacct")
_NANOSECONDS = 1e9


def machine_cpu_s() -> float:
    """Return the processor seconds that the whole machine has worked: user, nice, system."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    return sum(map(int, fields[1:4])) / os.sysconf("SC_CLK_TCK")


def own_group_cpu_s() -> float:
    """Return the processor seconds of the group that this process is in, or of the machine."""
    lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    found = [line.partition(":cpuacct:")[2] for line in lines if ":cpuacct:" in line]
    path = ROOT / found[0].lstrip("/") if found else ROOT
    return _used(path) if path != ROOT else machine_cpu_s()


def _used(group: Path) -> float:
    return int((group / "cpuacct.usage").read_text(encoding="ascii")) / _NANOSECONDS


class Meter:
    """Measures the commands that are run in it. Use in a `with` statement."""

    def __init__(self) -> None:
        self._group: Path | None = ROOT / f"codeloop-bench-{os.getpid()}"
        try:
            self._group.mkdir()
        except OSError:
            self._group = None

    def command(self, words: list[str]) -> list[str]:
        """Return the command that runs another in here."""
        if self._group is None:
            return words
        return ["sh", "-c", f'echo $$ > {self._group}/cgroup.procs; exec "$@"', "sh", *words]

    def cpu_s(self) -> float:
        """Return the processor seconds so far."""
        return machine_cpu_s() if self._group is None else _used(self._group)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._group is not None:
            self._group.rmdir()
