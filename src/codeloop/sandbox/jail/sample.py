"""What the processes of a slot use together, read from a /proc."""

# ruff: noqa: PTH115, PTH123, PTH208  (pathlib is slow to import)

import os
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_KIB = 1024


class Proc(NamedTuple):
    """A /proc to read from, and who is whose in it."""

    descriptor: int  # of the directory
    top: str | None  # None: all but pid 1 are guests; else our own pid, whose descendants they are
    alone: bool = True  # whether we can signal nobody but guests


class Sample(NamedTuple):
    """A moment's use by every process of the namespace but its pid 1."""

    cpu_s: float  # living processes, and the children that they have waited for
    memory_bytes: int  # resident sizes added up: what processes share counts for each
    tasks: int  # threads
    running: bool = False  # whether any runs, or waits for a processor


def outside() -> Proc:
    """Return the /proc that is mounted, with strangers in it, for this process to be the top of."""
    directory = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    return Proc(directory, os.readlink("/proc/self"), alone=False)


def tasks_of_machine() -> int:
    """Return how many tasks there are, whosever they be."""
    with open("/proc/loadavg", encoding="ascii") as file:
        return int(file.read().split()[3].partition("/")[2])


def killed_for_memory(events: int) -> int:
    """Return how many processes of a control group the kernel has killed for want of memory."""
    if events < 0:
        return 0
    for line in os.pread(events, 4 * _KIB, 0).splitlines():
        name, _, number = line.partition(b" ")
        if name == b"oom_kill":
            return int(number)
    return 0


def take(proc: Proc) -> Sample:
    """Return what is in use now."""
    ticks = pages = tasks = 0
    running = False
    for pid in guests(proc):
        fields = _read(proc, f"{pid}/stat").rpartition(b")")[2].split()
        if len(fields) > 21:  # noqa: PLR2004  proc(5): utime is 14th, rss 24th; two are cut off
            ticks += sum(int(field) for field in fields[11:15])
            tasks += int(fields[17])
            pages += int(fields[21])
            running = running or fields[0] == b"R"
    return Sample(ticks / _TICKS, pages * _PAGE, tasks, running)


def proportional_bytes(proc: Proc) -> int:
    """Return the memory in use with shared pages shared out, which takes longer to find."""
    total = 0
    for pid in guests(proc):
        for line in _read(proc, f"{pid}/smaps_rollup").splitlines():
            if line.startswith(b"Pss:"):
                total += int(line.split()[1]) * _KIB
    return total


def guests(proc: Proc, spared: frozenset[str] = frozenset()) -> list[str]:
    """Return the pids of all guests, without those `spared` and their descendants."""
    if proc.top is None:
        return [name for name in os.listdir(proc.descriptor) if name.isdigit() and name != "1"]
    found: list[str] = []
    parents = [proc.top]
    while parents:
        children = [pid for pid in _children(proc, parents.pop()) if pid not in spared]
        found += children
        parents += children
    return found


def is_guest(proc: Proc, pid: str) -> bool:
    """Return whether a process descends from the top of a /proc with strangers in it."""
    while pid != proc.top:
        fields = _read(proc, f"{pid}/stat").rpartition(b")")[2].split()
        pid = fields[1].decode() if len(fields) > 1 else "0"
        if pid in {"0", "1"}:
            return False
    return True


def _children(proc: Proc, pid: str) -> list[str]:
    """Return the children of every thread of a process."""
    try:
        threads = os.open(f"{pid}/task", os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc.descriptor)
    except OSError:  # it has gone
        return []
    try:
        names = os.listdir(threads)
    finally:
        os.close(threads)
    texts = [_read(proc, f"{pid}/task/{name}/children") for name in names]
    return [child.decode() for text in texts for child in text.split()]


def _read(proc: Proc, path: str) -> bytes:
    """Return a file of /proc, or nothing if its process has gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc.descriptor)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 64 * _KIB)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
