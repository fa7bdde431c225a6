"""A program of the host's own that lives in the jail and serves it: alone, or by forks of itself.

A tester answers each request by itself. A nursery has a program ready and forks a candidate of it
for each request, so that a candidate starts as quickly as a fork does, and each one afresh: the
nursery ends all that a candidate leaves behind before it reports the candidate's end. A candidate
runs as the nursery's user, but cannot look into it: the nursery is not dumpable.
"""

# ruff: noqa: PTH116, PTH208  (pathlib is slow to import)

import builtins
import gc
import marshal
import os
import signal
import struct
import sys
from _socket import CMSG_SPACE, MSG_CMSG_CLOEXEC, SCM_RIGHTS, SOL_SOCKET, socket
from collections.abc import Callable
from functools import partial
from select import POLLIN, poll
from traceback import format_exc
from types import ModuleType
from typing import Any

from codeloop.sandbox.jail import root, sample, syscalls, wire
from codeloop.sandbox.jail.walls import kin

HEADER = struct.Struct("=cI")
RUN, END, NOTE, ANSWER, FAILED = b"r", b"e", b"n", b"a", b"f"

_KIB = 1024
_LOWEST_LINK = 32

# What a candidate inherits must not depend on what it does to the real one.
__builtins__ = dict(vars(builtins))  # type: ignore[assignment]


def prepare(
    program: bytes, link: int, *, forks: bool, proc: sample.Proc | None
) -> Callable[[], object]:
    """Return the server of a program: modules as code, of which the last has `start()`.

    `proc` is for one that `forks`: where it finds its kin, or None if it can signal nobody else.
    """
    serve = _load(program).start()
    if forks:
        return partial(_breed, socket(fileno=link), serve, proc)
    return partial(_serve, socket(fileno=link), serve)


def _load(program: bytes) -> Any:
    for name, code in marshal.loads(program):  # noqa: S302  the host's own
        parent, _, own = name.rpartition(".")
        for package in _packages(parent):
            module = sys.modules.setdefault(package, ModuleType(package))
            vars(module).setdefault("__path__", [])
        module = sys.modules[name] = ModuleType(name)
        exec(code, vars(module))  # noqa: S102
        if parent:
            setattr(sys.modules[parent], own, module)
    return module


def _packages(name: str) -> list[str]:
    parts = name.split(".") if name else []
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def _serve(link: socket, serve: Callable[[bytes, int, Callable[[bytes], None]], bytes]) -> None:
    while True:
        try:
            _, request, descriptors = _receive(link)
        except (EOFError, OSError):
            os._exit(0)
        try:
            answer = serve(request, descriptors[0], partial(_say, link, NOTE))
        except BaseException:  # noqa: BLE001  whatever it is, the host has to know
            _say(link, FAILED, format_exc().encode("utf-8", "replace"))
            os._exit(1)
        _say(link, ANSWER, answer)


def _breed(link: socket, serve: Callable[[bytes, int], object], proc: sample.Proc | None) -> object:
    """Fork a candidate for each request; return only in a candidate's process."""
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.chdir("/")
    for name in [name for name in sys.modules if name.partition(".")[0] == "codeloop"]:
        del sys.modules[name]
    gc.collect()
    gc.freeze()
    gc.disable()
    syscalls.use_huge_pages()
    syscalls.keep_freed_memory()
    fresh = _disk_state()
    while True:
        try:
            what, request, descriptors = _receive(link)
        except (EOFError, OSError):
            os._exit(0)
        if what != RUN:  # the end of a candidate that has ended by itself
            continue
        pid = os.fork()
        if pid == 0:
            return serve(request, _leave_home(link, descriptors[0]))
        os.close(descriptors[0])
        by_host = _await_end(link, pid)
        report = {**_bury(pid, proc), "by_host": by_host, "dirty": _disk_state() != fresh}
        _say(link, ANSWER, wire.encode(report))


def _leave_home(link: socket, peer: int) -> int:
    """Turn this fork of the nursery into a candidate; return its end of the link to its tester."""
    highest = link.detach()
    place = _LOWEST_LINK + int.from_bytes(os.urandom(4), "little") % (highest - _LOWEST_LINK)
    os.dup2(peer, place, inheritable=False)
    syscalls.close_from(place + 1)
    os.closerange(3, place)
    os.setsid()
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(root.work())
    numpy = sys.modules.get("numpy")
    if numpy is not None:  # its generator was seeded before the fork
        numpy.random.seed()
    gc.enable()
    return place


def _await_end(link: socket, pid: int) -> bool:
    """Return when the candidate has ended, or is to end; return which by whether the host asked."""
    process = os.pidfd_open(pid)
    events = poll()
    events.register(link, POLLIN)
    events.register(process, POLLIN)
    ready = {descriptor for descriptor, _ in events.poll()}
    os.close(process)
    if process in ready:
        return False
    try:
        _receive(link)
    except (EOFError, OSError):
        os._exit(0)
    return True


def _bury(candidate: int, proc: sample.Proc | None) -> wire.Message:
    """End all that is left of a candidate, wait until it is gone, and return what it took."""
    kin.end_all(proc)
    status, cpu_s, memory = 0, 0.0, 0
    while ended := kin.bury(proc):
        pid, code, usage = ended
        cpu_s += usage.ru_utime + usage.ru_stime
        memory = max(memory, usage.ru_maxrss * _KIB)
        if pid == candidate:
            status = os.waitstatus_to_exitcode(code)
    return {
        "code": status if status >= 0 else None,
        "signal": -status if status < 0 else None,
        "cpu_s": cpu_s,
        "memory_bytes": memory,
    }


def _disk_state() -> tuple[object, ...]:
    """Return what tells an empty disk from one that a candidate has left something on."""
    return tuple(
        (os.stat(path).st_mode, *os.listxattr(path), *os.listdir(path)) for path in root.places()
    )


def _receive(link: socket) -> tuple[bytes, bytes, list[int]]:
    """Return what the host wants, with what data and descriptors.

    Raises:
        EOFError: the host has gone.
    """
    head, ancillary, _, _ = link.recvmsg(HEADER.size, CMSG_SPACE(4), MSG_CMSG_CLOEXEC)
    descriptors = [
        descriptor
        for level, kind, rights in ancillary
        if (level, kind) == (SOL_SOCKET, SCM_RIGHTS)
        for (descriptor,) in struct.iter_unpack("=i", rights)
    ]
    if not head:
        raise EOFError
    what, size = HEADER.unpack(head + _exactly(link, HEADER.size - len(head)))
    return what, _exactly(link, size), descriptors


def _exactly(link: socket, size: int) -> bytes:
    pieces = []
    while size:
        piece = link.recv(min(size, 1 << 20))
        if not piece:
            raise EOFError
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _say(link: socket, what: bytes, data: bytes) -> None:
    link.sendall(HEADER.pack(what, len(data)) + data)
