"""What the processes of a slot use together, read from the slot's own /proc."""

# ruff: noqa: PTH208  (pathlib is slow to import)

import os
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_KIB = 1024


class Sample(NamedTuple):
    """A moment's use by every process of the namespace but its pid 1."""

    cpu_s: float  # living processes, and the children that they have waited for
    memory_bytes: int  # resident sizes added up: what processes share counts for each
    tasks: int  # threads


def take() -> Sample:
    """Return what is in use now."""
    ticks = pages = tasks = 0
    for name in os.listdir("/proc"):
        if name == "1" or not name.isdigit():
            continue
        fields = _read(f"/proc/{name}/stat").rpartition(b")")[2].split()
        if len(fields) > 21:  # noqa: PLR2004  proc(5): utime is 14th, rss 24th; two are cut off
            ticks += sum(int(field) for field in fields[11:15])
            tasks += int(fields[17])
            pages += int(fields[21])
    return Sample(ticks / _TICKS, pages * _PAGE, tasks)


def proportional_bytes() -> int:
    """Return the memory in use with shared pages shared out, which takes longer to find."""
    total = 0
    for name in os.listdir("/proc"):
        if name != "1" and name.isdigit():
            for line in _read(f"/proc/{name}/smaps_rollup").splitlines():
                if line.startswith(b"Pss:"):
                    total += int(line.split()[1]) * _KIB
    return total


def _read(path: str) -> bytes:
    """Return a file of /proc, or nothing if its process has gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
