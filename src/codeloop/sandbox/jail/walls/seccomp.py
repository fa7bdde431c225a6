"""The seccomp filter of the guest: a denylist in hand-written BPF, for x86_64 and aarch64."""

import errno
import os
import struct

from codeloop.sandbox.jail import syscalls

_LOAD = 0x20  # A = word of struct seccomp_data
_AND = 0x54  # A &= k
_JUMP_EQUAL = 0x15
_JUMP_GREATER_EQUAL = 0x35
_RETURN = 0x06

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_KILL_PROCESS = 0x80000000

_DENY = _ERRNO | errno.EPERM
_PRETEND = _ERRNO  # the call does nothing, and returns 0
_ABSENT = _ERRNO | errno.ENOSYS
_UNKNOWN = _ERRNO | errno.EOPNOTSUPP  # ZeroMQ takes it for a machine without interfaces

_NUMBER_AT = 0
_ARCHITECTURE_AT = 4
_ARGUMENTS_AT = 16  # of 8 bytes each, low word first

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000

_NEW_NAMESPACE = (
    syscalls.CLONE_NEWTIME
    | syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWCGROUP
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWUSER
    | syscalls.CLONE_NEWPID
    | syscalls.CLONE_NEWNET
)
_AF_UNIX = 1
_AF_NETLINK = 16
_TIOCSTI = 0x5412

# Name: (number on x86_64, number on aarch64); None where an architecture lacks the call.
_DENIED: dict[str, tuple[int | None, int | None]] = {
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "ioprio_set": (251, 30),
    # mounts and namespaces
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    # large and often broken parts of the kernel
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_setup": (206, 0),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    # memory that no limit of ours counts
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "set_mempolicy_home_node": (450, 450),
    # the machine
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "acct": (163, 89),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    # relics
    "personality": (135, 92),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "ustat": (136, None),
    "sysfs": (139, None),
}
# Allowed only where the low word of the argument (by index) has the value given.
_ALLOWED_IF: dict[str, tuple[tuple[int, int], tuple[tuple[int, int], ...]]] = {
    "socketpair": ((53, 199), ((0, _AF_UNIX),)),
    "prlimit64": ((302, 261), ((0, 0),)),  # the caller's own limits, not those of pid 1
    "sched_setaffinity": ((203, 122), ((0, 0),)),
    "sched_setparam": ((142, 118), ((0, 0),)),
    "sched_setattr": ((314, 274), ((0, 0),)),
    "setpriority": ((141, 140), ((0, 0), (1, 0))),
}
# What a guest may not do where it shares the host's file system and IPC namespace.
_DENIED_BESIDE: dict[str, tuple[int | None, int | None]] = {
    "socket": (41, 198),  # a Unix socket has a path: Landlock lets any be connected to
    "semget": (64, 190),
}
# Landlock does not rule these, so that they would reach every file of the guest's user. Honest
# programs (copying a file, linking one) count on them, and do as well without.
_PRETENDED: dict[str, tuple[int | None, int | None]] = {
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "setxattrat": (463, 463),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
}
_SOCKET = (41, 198)
_SOCKETPAIR = (53, 199)
_SOCK_TYPE = 0xF
_SOCK_STREAM = 1
_SOCK_SEQPACKET = 5  # a pair of datagram sockets could send to any path
_CLONE = (56, 220)
_CLONE3 = (435, 435)
_IOCTL = (16, 29)
_SCHEDULER = (144, 119)  # of pid 1 too, unless it is to get the policy that it has (SCHED_OTHER)


def _op(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, when_true, when_false, value)


def _argument(index: int) -> bytes:
    return _op(_LOAD, _ARGUMENTS_AT + 8 * index)


def _block(number: int, body: list[bytes]) -> list[bytes]:
    """Return instructions that run `body`, which must return, for one system call only."""
    return [_op(_JUMP_EQUAL, number, 0, len(body)), *body]


def _only_if(pairs: tuple[tuple[int, int], ...]) -> list[bytes]:
    body: list[bytes] = []
    for index, value in pairs:
        body += [_argument(index), _op(_JUMP_EQUAL, value, 1, 0), _op(_RETURN, _DENY)]
    return [*body, _op(_RETURN, _ALLOW)]


def _refusals(
    calls: dict[str, tuple[int | None, int | None]], column: int, answer: int
) -> list[bytes]:
    numbers = (columns[column] for columns in calls.values())
    return [op for n in numbers if n is not None for op in _block(n, [_op(_RETURN, answer)])]


_CONNECTED_PAIR = [
    _argument(0),
    _op(_JUMP_EQUAL, _AF_UNIX, 1, 0),
    _op(_RETURN, _DENY),
    _argument(1),
    _op(_AND, _SOCK_TYPE),
    _op(_JUMP_EQUAL, _SOCK_STREAM, 2, 0),
    _op(_JUMP_EQUAL, _SOCK_SEQPACKET, 1, 0),
    _op(_RETURN, _DENY),
    _op(_RETURN, _ALLOW),
]


def build_filter(machine: str | None = None, *, alone: bool = True) -> bytes:
    """Return the filter for an architecture (default: this one) as packed instructions.

    `alone` is for a guest in namespaces of its own; else the filter is stricter.

    Raises:
        KeyError: the architecture is neither x86_64 nor aarch64.
    """
    machine = machine or os.uname().machine
    column = ("x86_64", "aarch64").index(machine) if machine in _AUDIT_ARCH else 0
    program = [
        _op(_LOAD, _ARCHITECTURE_AT),
        _op(_JUMP_EQUAL, _AUDIT_ARCH[machine], 1, 0),
        _op(_RETURN, _KILL_PROCESS),
        _op(_LOAD, _NUMBER_AT),
    ]
    if machine == "x86_64":
        program += [_op(_JUMP_GREATER_EQUAL, _X32_BIT, 0, 1), _op(_RETURN, _KILL_PROCESS)]
    if not alone:
        program += _refusals(_DENIED_BESIDE, column, _DENY)
        program += _refusals(_PRETENDED, column, _PRETEND)
        program += _block(_SOCKETPAIR[column], _CONNECTED_PAIR)
    program += _refusals(_DENIED, column, _DENY)
    for columns, pairs in _ALLOWED_IF.values():
        program += _block(columns[column], _only_if(pairs))
    namespaces = [_argument(0), _op(_AND, _NEW_NAMESPACE), _op(_JUMP_EQUAL, 0, 1, 0)]
    decide = [_op(_RETURN, _DENY), _op(_RETURN, _ALLOW)]
    program += _block(_CLONE[column], [*namespaces, *decide])
    # glibc falls back to clone, whose flags a filter can see
    program += _block(_CLONE3[column], [_op(_RETURN, _ABSENT)])
    interfaces = [_argument(0), _op(_JUMP_EQUAL, _AF_NETLINK, 0, 1), _op(_RETURN, _UNKNOWN)]
    program += _block(_SOCKET[column], [*interfaces, *_only_if(((0, _AF_UNIX),))])
    usual = [_argument(1), _op(_JUMP_EQUAL, os.SCHED_OTHER, 0, 1), _op(_RETURN, _ALLOW)]
    program += _block(_SCHEDULER[column], [*usual, *_only_if(((0, 0),))])
    program += _block(_IOCTL[column], [_argument(1), _op(_JUMP_EQUAL, _TIOCSTI, 0, 1), *decide])
    return b"".join([*program, _op(_RETURN, _ALLOW)])
