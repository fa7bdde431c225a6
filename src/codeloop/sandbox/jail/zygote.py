"""The first process of a sandbox: enters the private root once, then forks a slot when asked."""

import ctypes
import gc
import os
import signal
import sys
from _socket import socket
from collections.abc import Callable
from select import POLLIN, poll

from codeloop.sandbox.jail import beside, root, slot, streams, syscalls, walls, wire
from codeloop.sandbox.jail.walls import seccomp

_SLOT_NAMESPACES = (
    syscalls.CLONE_NEWUSER
    | syscalls.CLONE_NEWPID
    | syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWNET
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWCGROUP
)
# What most programs import, so that they find it warm.
_PRELOAD = (
    "ast", "bisect", "collections", "copy", "dataclasses", "functools", "heapq", "itertools",
    "math", "operator", "random", "re", "string", "traceback", "typing",
)  # fmt: skip


def serve(
    descriptor: int,
    host_pid: int,
    level: str,
    base: str | None,
    lent: tuple[str | None, str | None],
    preload: tuple[str, ...],
) -> Callable[[], object]:
    """Serve until the host goes; return only in a guest's process, with its program.

    Below the level of namespaces `base` is where slots make their folders. `lent` are the
    directories of packages and of what was made for compilers.
    """
    link = socket(fileno=descriptor)
    stage = "start"
    try:
        host = os.pidfd_open(host_pid)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # slots need no burial
        if base is None:
            stage = "namespace"
            uid = _enter_namespace()
            stage = "root"
            root.enter(*lent)
            if uid == 0:
                walls.become_nobody()
            built = walls.Walls(level, seccomp.build_filter())
        else:
            stage = level
            built = walls.build_lower(level, tuple(path for path in lent if path))
            syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        stage = "preload"
        packages = root.PACKAGES if base is None else lent[0]
        _preload(packages if lent[0] else None, preload)
    except (OSError, ValueError, KeyError, ImportError) as error:
        code = getattr(error, "errno", None)
        wire.send(
            link, {"error": f"{type(error).__name__}: {error}", "stage": stage, "errno": code}
        )
        os._exit(1)
    streams.install()
    _leave_no_trace()
    gc.collect()
    gc.freeze()
    syscalls.use_huge_pages()
    wire.send(link, {"ready": True})
    if base is None:
        return _serve_slots(link, host, built)
    return beside.serve_slots(link, host, built, base)


def serve_alone(
    descriptor: int,
    disk: wire.Message,
    source: str,
    packages: str | None,
    preload: tuple[str, ...],
) -> Callable[[], object]:
    """Serve as the one slot of namespaces that another program has made; return as `serve` does.

    `source` is where we were loaded from, which is taken away.
    """
    os.environ.pop("PWD", None)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # else the guest's would end us
    built = walls.Walls(walls.NAMESPACES, seccomp.build_filter())
    _preload(packages, preload)
    syscalls.umount(source)
    root.guard_devices()
    streams.install()
    _leave_no_trace()
    return slot.start(descriptor, None, disk, built)


def _enter_namespace() -> int:
    """Get a mount namespace of our own: as root, or else as root of a new user namespace.

    Return the uid before: 0 means that real root's powers are still to be given up.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        try:
            syscalls.unshare(syscalls.CLONE_NEWNS)
        except PermissionError:  # root without CAP_SYS_ADMIN, as in a plain container
            uid = gid = walls.become_nobody()
        else:
            return 0
    syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS)
    slot.map_ids(uid, gid)
    return uid


def _preload(packages: str | None, preload: tuple[str, ...]) -> None:
    import site  # noqa: PLC0415  -S left out its work; what programs expect of it is done here

    site.setquit()
    site.setcopyright()
    site.sethelper()
    if packages:
        sys.path.append(packages)
        os.environ["PYTHONPATH"] = packages  # for a Python that the guest starts: ours came first
        root.link_font_cache()
    for name in (*_PRELOAD, *preload):
        __import__(name)


def _leave_no_trace() -> None:
    """Take our modules off the list that a guest sees; but never free them, which takes time."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "codeloop"]:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(sys.modules.pop(name)))


def _serve_slots(link: socket, host: int, built: walls.Walls) -> Callable[[], object]:
    ids = os.geteuid(), os.getegid()
    events = poll()
    events.register(link, POLLIN)
    events.register(host, POLLIN)
    while True:
        if any(descriptor == host for descriptor, _ in events.poll()):
            os._exit(0)
        try:
            request, descriptors = wire.receive(link)
        except (EOFError, OSError):
            os._exit(0)
        control = descriptors[0]
        try:
            pid = syscalls.clone(_SLOT_NAMESPACES)
        except OSError as error:
            wire.send(link, {"id": request["id"], "error": str(error), "errno": error.errno})
            os.close(control)
            continue
        if pid == 0:
            return slot.start(control, ids, request, built)
        os.close(control)
        process = os.pidfd_open(pid)
        wire.send(link, {"id": request["id"]}, [process])
        os.close(process)
