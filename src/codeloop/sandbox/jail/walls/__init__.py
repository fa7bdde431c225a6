"""What a guest is put behind at each level of isolation, as far as its own process does it."""

import os
import sys
from typing import NamedTuple

from codeloop.sandbox.jail import root, syscalls
from codeloop.sandbox.jail.walls import landlock, seccomp

NAMESPACES, LANDLOCK, CONTAINER, NONE = "namespaces", "landlock", "container", "none"

NOBODY = 65534
# Of /proc nothing but what runtimes size themselves by: the rest tells of other processes.
_MACHINE = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm/overcommit_memory")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


class Walls(NamedTuple):
    """What is built once for a sandbox, for each of its guests to go behind."""

    level: str
    bpf: bytes = b""  # no seccomp filter if empty
    reads: tuple[str, ...] | None = None  # what Landlock leaves to read; None: no Landlock
    capability: int | None = None  # the one that is kept

    @property
    def sees_strangers(self) -> bool:
        """Whether a guest can find, and signal, the processes of others."""
        return self.level in {CONTAINER, NONE}

    def close_in(self) -> None:
        """Put this process behind them, for good."""
        if self.level == NONE:
            return
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        if self.reads is not None:
            places = os.environ["HOME"], os.environ["TMPDIR"]
            landlock.restrict(self.reads, places, _DEVICES)
        syscalls.drop_capabilities(but=self.capability)
        syscalls.install_filter(self.bpf)


def build_lower(level: str, lent: tuple[str, ...]) -> Walls:
    """Build what a level below namespaces has, and give up root's powers if it wants that.

    `lent` are directories that guests read beside the system's and Python's own.

    Raises:
        OSError: the level cannot be had.
    """
    version = landlock.version()
    if level == LANDLOCK and version < landlock.SCOPED_FROM:
        raise OSError(None, f"version {version} of Landlock")
    is_root = os.geteuid() == 0
    if level == CONTAINER and not is_root and not version:
        raise OSError(None, "no Landlock, and the guest would be the same user as codeloop")
    own = sorted({sys.base_prefix, sys.base_exec_prefix, *lent})
    capability = None
    if is_root:  # at any level: the kernel does not count the processes of root
        may_read = version > 0 or level == NONE
        capability = _become_reading_nobody(own, may_read=may_read)
    if level == NONE:
        return Walls(level)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    reads = (*root.shown(), *_MACHINE, *own)
    if level == CONTAINER:
        reads = (*reads, "/proc")
    return Walls(level, seccomp.build_filter(alone=False), reads if version else None, capability)


def become_nobody() -> int:
    """Give up real root, for which the kernel does not count processes; return who we are now."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    return NOBODY


def _become_reading_nobody(needed: list[str], *, may_read: bool) -> int | None:
    """Give up real root, but for the capability to read if something `needed` is out of reach else.

    Return that capability if it was kept: it is for a guest that Landlock keeps to what it is to
    read.

    Raises:
        OSError: something needed is out of reach, and may not be read nevertheless.
    """
    syscalls.drop_bounding_set(but=syscalls.CAP_DAC_READ_SEARCH)
    syscalls.prctl(syscalls.PR_SET_KEEPCAPS, 1)
    become_nobody()
    hidden = [path for path in needed if not os.access(path, os.R_OK | os.X_OK)]
    if not hidden:
        syscalls.drop_capabilities()
        return None
    if not may_read:
        raise PermissionError(None, f"the user nobody cannot read {hidden[0]}")
    syscalls.drop_capabilities(but=syscalls.CAP_DAC_READ_SEARCH)
    syscalls.hand_down(syscalls.CAP_DAC_READ_SEARCH)
    return syscalls.CAP_DAC_READ_SEARCH
