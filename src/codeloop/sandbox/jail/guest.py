"""The last steps before untrusted code: descriptors, limits, privileges, a clean interpreter."""

import gc
import os
import resource
import signal
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from codeloop.sandbox.jail import (
    cells,
    jupyter,
    program,
    resident,
    root,
    sample,
    script,
    sql,
    syscalls,
    wire,
)
from codeloop.sandbox.jail.walls import NAMESPACES, Walls

Program = Callable[[], object]

ONE_SHOT = ("script", "program", "sql")  # modes of a guest that ends with its run

_MAX_STACK_BYTES = 64 * 1024 * 1024
_STACK_BYTES = 8 * 1024 * 1024
_SIGNALS = 1024  # queued, and timers


def prepare(request: wire.Message, descriptors: list[int], walls: Walls) -> Program:
    """Turn this fork of a slot into a guest, and return the program that it is to run.

    `descriptors` are the code (an unlinked file), stdin, stdout, stderr and the link to the host.
    """
    os.setsid()
    link = _arrange(descriptors, int(request["open_files"]))
    code = _read_code()
    _mark_for_oom_killer()
    _limit(request, walls.level)
    finds_kin = request["mode"] == "nursery" and walls.sees_strangers
    proc = sample.outside() if finds_kin else None
    os.umask(0o022)
    root.link_font_cache()
    os.chdir(root.work())
    _reset_signals()
    if request["mode"] not in {"cells", "jupyter"}:  # from here on an interrupt ends it
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    if request["mode"] == "program":
        program.make_runnable(request)
    walls.close_in()
    if request["mode"] == "program":
        return program.prepare(code, request)
    starter = _tidy_interpreter()
    if request["mode"] in {"tester", "nursery"}:
        return resident.prepare(code, link, forks=request["mode"] == "nursery", proc=proc)
    if request["mode"] == "sql":
        return sql.prepare(code, request["engine"])
    if request["mode"] == "script":
        return script.prepare(code, link, starter, asks=bool(request["interactive"]))
    if request["mode"] == "jupyter":
        return jupyter.prepare(request, link)
    return cells.prepare(link, asks=bool(request["interactive"]))


def _arrange(descriptors: list[int], open_files: int) -> int:
    """Put the descriptors in their places, close all others, and return the link's number.

    The code stays at 4 until it is read. The link goes to the highest number that the guest may
    have, out of the way of programs that count on low ones.
    """
    high = min(open_files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]) - 1
    parked = [os.dup2(fd, 64 + at, inheritable=False) for at, fd in enumerate(descriptors)]
    for at in range(3):
        os.dup2(parked[1 + at], at)
    os.dup2(parked[4], 3, inheritable=False)
    os.dup2(parked[0], 4, inheritable=False)
    syscalls.close_from(5)
    os.dup2(3, high, inheritable=False)
    os.close(3)
    return high


def _read_code() -> bytes:
    size = os.fstat(4).st_size
    pieces = []
    offset = 0
    while offset < size:
        piece = os.pread(4, size - offset, offset)
        pieces.append(piece)
        offset += len(piece)
    os.close(4)
    return b"".join(pieces)


def _mark_for_oom_killer() -> None:
    """Have the kernel take guests first, and let the guest see its own /proc/self."""
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
    try:
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:  # no /proc here
        return
    try:
        os.write(descriptor, b"1000")
    finally:
        os.close(descriptor)


def _limit(request: wire.Message, level: str) -> None:
    memory = int(request["memory_bytes"])
    limits = {
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_FSIZE: (int(request["disk_bytes"]), int(request["disk_bytes"])),
        resource.RLIMIT_MEMLOCK: (0, 0),
        resource.RLIMIT_MSGQUEUE: (0, 0),
        resource.RLIMIT_NOFILE: (int(request["open_files"]), int(request["open_files"])),
        resource.RLIMIT_SIGPENDING: (_SIGNALS, _SIGNALS),
        resource.RLIMIT_STACK: (_STACK_BYTES, _MAX_STACK_BYTES),
    }
    processes = int(request["processes"]) + 1
    if level != NAMESPACES:  # there all of the user's count, of whom there are no more than these
        processes += sample.tasks_of_machine()
    limits[resource.RLIMIT_NPROC] = processes, processes
    if request.get("address_space", True):
        limits[resource.RLIMIT_AS] = memory, memory
    if request["mode"] in ONE_SHOT:  # soft below hard, so that SIGXCPU and not SIGKILL ends it
        seconds = int(float(request["cpu_s"])) + 1
        limits[resource.RLIMIT_CPU] = (seconds, seconds + 1)
    for kind, (soft, hard) in limits.items():
        _set_limit(kind, soft, hard)


def _set_limit(kind: int, soft: int, hard: int) -> None:
    """Set a limit, or leave it where the host's own is lower."""
    bound = resource.getrlimit(kind)[1]
    if bound != resource.RLIM_INFINITY:
        soft, hard = min(soft, bound), min(hard, bound)
    resource.setrlimit(kind, (soft, hard))


def _reset_signals() -> None:
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # as Python itself starts
        signal.signal(number, signal.SIG_IGN)


def _tidy_interpreter() -> dict[str, Any]:
    """Make the interpreter look as if it had just been started on its own.

    Return the namespace of what started the zygote, and will start the guest's program.
    """
    starter = vars(sys.modules["__main__"])
    starter.clear()
    sys.path.insert(0, root.work())
    main = ModuleType("__main__")
    vars(main)["__builtins__"] = sys.modules["builtins"]
    sys.modules["__main__"] = main
    numpy = sys.modules.get("numpy")
    if numpy is not None:  # its generator was seeded before the fork
        numpy.random.seed()
    gc.enable()
    return starter
