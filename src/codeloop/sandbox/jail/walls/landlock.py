"""Landlock: takes from a process, for good, all files but some, and reaching other processes.

The kernel's documentation, "Landlock: unprivileged access control", gives the numbers below.
"""

# ruff: noqa: PTH112  (pathlib is slow to import)

import os
import struct

from codeloop.sandbox.jail import syscalls

SCOPED_FROM = 6  # the first version by which a guest cannot signal the processes outside

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # version: how many rights of files it knows; later: 16
_TCP = 0b11  # bind and connect
_SCOPES = 0b11  # abstract Unix sockets and signals
_BENEATH = 1  # LANDLOCK_RULE_PATH_BENEATH


def version() -> int:
    """Return the version of Landlock that this kernel has, or 0 if it has none."""
    try:
        return syscalls.landlock_create(b"", version=True)
    except OSError:
        return 0


def restrict(reads: tuple[str, ...], writes: tuple[str, ...], devices: tuple[str, ...]) -> None:
    """Leave this process, and all that it starts, `reads` to read and run, `writes` to do all with.

    `devices` can be read and written. Paths that are not there are passed over. TCP, signals and
    abstract Unix sockets to the outside are taken away as far as this kernel can. Needs
    no_new_privs.

    Raises:
        OSError: the kernel refuses.
    """
    known = version()
    rights = (1 << _RIGHTS.get(known, 16)) - 1
    attributes = [rights]
    if known >= 4:  # noqa: PLR2004  the version that brought TCP
        attributes.append(_TCP)
    if known >= SCOPED_FROM:
        attributes.append(_SCOPES)
    ruleset = syscalls.landlock_create(struct.pack(f"={len(attributes)}Q", *attributes))
    try:
        for paths, allowed in ((reads, _READ), (writes, rights), (devices, _OF_FILES)):
            for path in paths:
                _allow(ruleset, path, allowed & rights)
        syscalls.landlock_restrict_self(ruleset)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not here, or not for us
        return
    try:
        allowed = rights if os.path.isdir(path) else rights & _OF_FILES
        syscalls.landlock_add_rule(ruleset, _BENEATH, struct.pack("=Qi", allowed, place))
    finally:
        os.close(place)
