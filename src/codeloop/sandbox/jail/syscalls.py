"""The system calls for which Python has no function, bound with ctypes."""

import ctypes
import os
import struct

CLONE_NEWTIME = 0x00000080
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
SECCOMP_MODE_FILTER = 2
CAP_DAC_READ_SEARCH = 2

_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 1
_FROM_DESCRIPTOR = 4  # MOVE_MOUNT_F_EMPTY_PATH
_MOUNT_ATTR = {MS_RDONLY: 1, MS_NOSUID: 2, MS_NODEV: 4}
_SIGCHLD = 17
_CAPABILITY_VERSION_3 = 0x20080522

# The numbers that we call ourselves, on x86_64 and on aarch64.
_CALLED = {
    "x86_64": {"clone": 56, "pivot_root": 155, "capset": 126},
    "aarch64": {"clone": 220, "pivot_root": 41, "capset": 91},
}
_OPEN_TREE = 428
_MOVE_MOUNT = 429
_MOUNT_SETATTR = 442  # the same everywhere, as all calls since Linux 5.1
_CLOSE_RANGE = 436
_OPENAT2 = 437
# No other mount, no magic link, no link, and nothing above where the search begins.
_RESOLVE = 0x01 | 0x02 | 0x04 | 0x08
_LANDLOCK_CREATE = 444
_LANDLOCK_ADD_RULE = 445
_LANDLOCK_RESTRICT_SELF = 446
_LANDLOCK_VERSION = 1
_CAP_AMBIENT_RAISE = 2

_MADV_HUGEPAGE, _MADV_COLLAPSE = 14, 25
_HUGE = 1 << 21
_HEAP: tuple[list[str], ...] = ([], ["[heap]"])  # what a line of /proc/self/maps ends with
_KEPT = ((-3, 32 << 20), (-1, 64 << 20))  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD: bytes
_MANY = 6  # huge pages, from which on they are worth the time that they take to make

# PyDLL keeps the GIL held, which a call that forks the interpreter needs.
_libc = ctypes.PyDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _syscall(number: int, *args: int | bytes | ctypes.Array[ctypes.c_char]) -> int:
    words = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    result: int = _libc.syscall(ctypes.c_long(number), *words)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _number(name: str) -> int:
    return _CALLED[os.uname().machine][name]


def _checked(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)


def unshare(flags: int) -> None:
    """Move this process into new namespaces."""
    _checked(_libc.unshare(flags), "unshare")


def clone(flags: int) -> int:
    """Fork this interpreter into new namespaces; return the child's pid, or 0 in the child."""
    python = ctypes.pythonapi
    python.PyOS_BeforeFork()
    try:
        pid = _syscall(_number("clone"), flags | _SIGCHLD, 0, 0, 0, 0)
    except OSError:
        python.PyOS_AfterFork_Parent()
        raise
    if pid == 0:
        python.PyOS_AfterFork_Child()
    else:
        python.PyOS_AfterFork_Parent()
    return pid


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Mount something; the arguments are as in the manual."""
    result = _libc.mount(
        source.encode(),
        target.encode(),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        data.encode() or None,
    )
    _checked(result, target)


def umount(target: str) -> None:
    """Take the topmost mount off `target`, though it be in use."""
    _checked(_libc.umount2(target.encode(), MNT_DETACH), target)


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root and put the old root at `old`."""
    _syscall(_number("pivot_root"), new.encode(), old.encode())


def restrict_mounts(target: str, flags: int, *, recursive: bool) -> None:
    """Add MS_RDONLY, MS_NOSUID and MS_NODEV of `flags` to the mount, and to those below it."""
    wanted = sum(value for flag, value in _MOUNT_ATTR.items() if flags & flag)
    attributes = struct.pack("=QQQQ", wanted, 0, 0, 0)
    below = _AT_RECURSIVE if recursive else 0
    _syscall(_MOUNT_SETATTR, _AT_FDCWD, target.encode(), below, attributes, len(attributes))


def open_tree(target: str) -> int:
    """Return a descriptor of a copy of a mount, which any mount namespace can take in."""
    return _syscall(_OPEN_TREE, _AT_FDCWD, target.encode(), _OPEN_TREE_CLONE | os.O_CLOEXEC)


def move_mount(mount: int, target: str) -> None:
    """Mount what a descriptor of `open_tree` stands for."""
    _syscall(_MOVE_MOUNT, mount, b"", _AT_FDCWD, target.encode(), _FROM_DESCRIPTOR)


def open_beneath(directory: int, path: str, flags: int) -> int:
    """Open what lies below a directory, where no part of the path is a link."""
    how = struct.pack("=QQQ", flags, 0, _RESOLVE)
    return _syscall(_OPENAT2, directory, os.fsencode(path), how, len(how))


def prctl(option: int, value: int = 0, pointer: int = 0) -> None:
    """Change a setting of this process."""
    words = (ctypes.c_ulong(word) for word in (value, pointer, 0, 0))
    _checked(_libc.prctl(option, *words), f"prctl {option}")


def drop_capabilities(*, but: int | None = None) -> None:
    """Give up every capability of this process, `but` one of the first 32 if that is named."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    kept = 0 if but is None else 1 << but
    _syscall(_number("capset"), header, struct.pack("=6I", kept, kept, kept, 0, 0, 0))


def hand_down(capability: int) -> None:
    """Have the programs that are started from here on keep a capability of this process."""
    prctl(PR_CAP_AMBIENT, _CAP_AMBIENT_RAISE, capability)


def landlock_create(attributes: bytes, *, version: bool = False) -> int:
    """Return a new ruleset's descriptor, or the version of Landlock that the kernel has."""
    if version:
        return _syscall(_LANDLOCK_CREATE, 0, 0, _LANDLOCK_VERSION)
    return _syscall(_LANDLOCK_CREATE, attributes, len(attributes), 0)


def landlock_add_rule(ruleset: int, kind: int, rule: bytes) -> None:
    """Add a rule to a ruleset."""
    _syscall(_LANDLOCK_ADD_RULE, ruleset, kind, rule, 0)


def landlock_restrict_self(ruleset: int) -> None:
    """Put this process under a ruleset."""
    _syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0)


def drop_bounding_set(*, but: int | None = None) -> None:
    """Make sure that no program started from here on can regain a capability, `but` one."""
    for capability in range(64):
        if capability == but:
            continue
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # beyond the last one that this kernel knows
            return


def close_from(first: int) -> None:
    """Close every descriptor from `first` on."""
    _syscall(_CLOSE_RANGE, first, 0xFFFFFFFF, 0)


def install_filter(program: bytes) -> None:
    """Install a seccomp filter, given as packed instructions of 8 bytes each."""
    code = ctypes.create_string_buffer(program, len(program))
    filter_ = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    buffer = ctypes.create_string_buffer(filter_, len(filter_))
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(buffer))


def keep_freed_memory() -> None:
    """Have `malloc` keep what is freed, up to a bound, rather than fault it in anew each time."""
    mallopt = getattr(_libc, "mallopt", None)  # glibc's
    if mallopt is not None:
        for option, value in _KEPT:
            mallopt(option, value)


def use_huge_pages() -> None:
    """Put a large heap into huge pages where the kernel can (Linux 6.1): its forks are cheaper.

    A fork copies what tells where each page is: a line for a huge page, 512 for as many small ones.
    """
    try:
        with open("/proc/self/maps", encoding="utf-8") as maps:  # noqa: PTH123  pathlib is slow
            lines = [line.split() for line in maps]
    except OSError:  # a guest under Landlock has no /proc
        return
    heap = [line[0].split("-") for line in lines if line[1] == "rw-p" and line[5:] in _HEAP]
    spans = [(-(-int(low, 16) // _HUGE), int(high, 16) // _HUGE) for low, high in heap]
    spans = [(low, high) for low, high in spans if high > low]
    if sum(high - low for low, high in spans) < _MANY:
        return
    for low, high in spans:
        address, size = ctypes.c_void_p(low * _HUGE), ctypes.c_size_t((high - low) * _HUGE)
        for advice in (_MADV_HUGEPAGE, _MADV_COLLAPSE):  # refused where there are none: no matter
            _libc.madvise(address, size, advice)
