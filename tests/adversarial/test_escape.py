"""Programs that try to get out of the jail, or to the process that guards it."""

import os
import sys

import pytest
from adversarial.hostile import HELD, run, run_once

from codeloop.core.execution import Status
from codeloop.sandbox import Sandbox, SandboxSession

pytestmark = pytest.mark.jail

PRELUDE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
x86 = os.uname().machine == "x86_64"

def refused(call, *args):
    assert call(*args) == -1, f"{call} {args} was allowed"

def syscall_refused(on_x86, on_arm, *args):
    refused(libc.syscall, on_x86 if x86 else on_arm, *args)

def raises(call, *args, **options):
    try:
        call(*args, **options)
    except OSError:
        return
    raise AssertionError(f"{call} {args} was allowed")
"""

ATTACKS = {
    "read host files": """
for path in ("/etc/shadow", "/etc/hostname", "/root/.bashrc", "/var/log", "/sys/kernel", "/run"):
    raises(open, path) if not os.path.isdir(path) else raises(os.listdir, path + "/x")
assert not os.path.exists("/home") and not os.path.exists("/var")
assert "shadow" not in os.listdir("/etc")
""",
    "write outside": """
import sys
for path in ("/", "/usr", "/usr/bin", "/etc", "/dev", "/proc", "/opt", sys.prefix):
    raises(open, os.path.join(path, "planted"), "w")
raises(os.chmod, "/usr/bin/env", 0o777)
raises(os.rename, "/etc/passwd", "/etc/gone")
raises(os.mkdir, "/new")
""",
    "ptrace init": "refused(libc.ptrace, 16, 1, 0, 0)\nrefused(libc.ptrace, 0x4206, 1, 0, 0)",
    "ptrace at all": "refused(libc.ptrace, 0, 0, 0, 0)",
    "memory of init": """
raises(open, "/proc/1/mem", "rb")
buffer = ctypes.create_string_buffer(64)
vector = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 64)
syscall_refused(310, 270, 1, vector, 1, vector, 1, 0)
syscall_refused(311, 271, 1, vector, 1, vector, 1, 0)
""",
    "/proc of init": """
for name in ("environ", "maps", "fd", "root", "cwd", "exe", "cmdline", "ns/mnt", "task", "stat"):
    path = f"/proc/1/{name}"
    raises(os.listdir if name in ("fd", "root", "cwd", "task") else open, path)
""",
    "signals to init": """
for number in range(1, 65):
    try:
        os.kill(1, number)
    except OSError:
        pass
""",
    "limits of init": """
limit = (ctypes.c_ulong * 2)(0, 0)
refused(libc.prlimit, 1, 7, limit, None)
import resource
raises(resource.prlimit, 1, resource.RLIMIT_AS, (1, 1))
""",
    "priority of init": """
raises(os.setpriority, os.PRIO_PROCESS, 1, 19)
raises(os.setpriority, os.PRIO_USER, 0, 19)
raises(os.setpriority, os.PRIO_PGRP, 1, 19)
raises(os.sched_setaffinity, 1, {0})
raises(os.sched_setscheduler, 1, os.SCHED_IDLE, os.sched_param(0))
""",
    "descriptors of init": """
descriptor = os.pidfd_open(1)
syscall_refused(438, 438, descriptor, 3, 0)
syscall_refused(312, 272, 1, os.getpid(), 0, 0, 0)
""",
    "mounts": """
refused(libc.mount, b"none", b"/tmp", b"tmpfs", 0, None)
refused(libc.mount, b"/", b"/tmp", None, 4096, None)
refused(libc.mount, b"none", b"/usr", None, 32 | 4096, None)
refused(libc.umount2, b"/proc", 2)
refused(libc.umount2, b"/tmp", 2)
syscall_refused(155, 41, b"/tmp", b"/tmp")
raises(os.chroot, "/tmp")
for number in (428, 429, 430, 432, 433, 442):
    syscall_refused(number, number, 0, 0, 0, 0, 0)
""",
    "namespaces": """
for flag in (0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
    refused(libc.unshare, flag)
    syscall_refused(56, 220, flag | 17, 0, 0, 0, 0)
syscall_refused(435, 435, 0, 0)
refused(libc.setns, os.open("/proc/self/ns/user", os.O_RDONLY), 0)
""",
    "become root": """
refused(libc.setuid, 0)
refused(libc.setgid, 0)
refused(libc.setgroups, 1, (ctypes.c_uint * 1)(0))
assert os.getresuid() == (1000, 1000, 1000)
""",
    "setuid programs": """
import subprocess
names = ("su", "mount", "sudo", "passwd", "newgrp", "chsh", "umount")
paths = [f"/usr/bin/{n}" for n in names if os.path.exists(f"/usr/bin/{n}")]
for path in paths:
    if os.stat(path).st_mode & 0o4000:
        process = subprocess.Popen([path], stdin=-3, stdout=-3, stderr=-3)
        try:
            status = open(f"/proc/{process.pid}/status").read()
        except OSError:
            status = "Uid:\\t1000\\t1000\\t1000\\t1000"
        assert "Uid:\\t1000\\t1000\\t1000\\t1000" in status, status
        process.kill()
        process.wait()
""",
    "no privileges": """
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
    assert int(status[name], 16) == 0, name
assert status["NoNewPrivs"].strip() == "1"
assert status["Seccomp"].strip() == "2"
""",
    "network": """
import socket
for kind in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, 40, 38, 31):
    raises(socket.socket, kind, socket.SOCK_DGRAM)
    raises(socket.socket, kind, socket.SOCK_STREAM)
raises(socket.socketpair, socket.AF_INET)
""",
    "devices": """
raises(os.mknod, "/tmp/disk", 0o60666, os.makedev(254, 0))
raises(os.mknod, "/tmp/null", 0o20666, os.makedev(1, 3))
allowed = {"null", "zero", "full", "random", "urandom", "fd", "stdin", "stdout", "stderr", "shm"}
assert set(os.listdir("/dev")) == allowed, os.listdir("/dev")
raises(os.chmod, "/dev/null", 0o600)
""",
    "kernel settings": """
for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger",
             "/proc/sys/kernel/ns_last_pid", "/sys/fs/cgroup/release_agent"):
    raises(open, path, "w")
raises(os.write, os.open("/proc/self/uid_map", os.O_WRONLY), b"0 0 1")
""",
    "key rings": """
syscall_refused(250, 219, 0, -3, 1)
syscall_refused(248, 217, b"user", b"x", b"y", 1, -3)
syscall_refused(249, 218, b"user", b"x", 0, 0)
""",
    "large parts of the kernel": """
for on_x86, on_arm in ((321, 280), (298, 241), (323, 282), (425, 425), (304, 265), (303, 264),
                       (319, 279), (447, 447), (29, 194), (175, 105), (246, 104), (169, 142)):
    syscall_refused(on_x86, on_arm, 0, 0, 0, 0, 0, 0)
""",
    "lower dumpable and look again": """
libc.prctl(4, 1, 0, 0, 0)
raises(open, "/proc/1/environ")
""",
    "typing into a terminal": """
import fcntl, termios
raises(fcntl.ioctl, 0, termios.TIOCSTI, b"x")
""",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_program_cannot(name: str, sandbox: Sandbox) -> None:
    result = run_once(sandbox, PRELUDE + ATTACKS[name] + "\n" + HELD)
    assert (result.status, result.stdout.text) == (Status.OK, "held\n"), result.stderr.text


def test_a_cell_cannot_either(kernel: SandboxSession) -> None:
    for name, attack in ATTACKS.items():
        result = run(kernel, PRELUDE + attack + "\n" + HELD)
        assert (result.status, result.stdout.text) == (Status.OK, "held\n"), (name, result)


MACHINE_CODE = """
import ctypes, mmap
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex({code!r}))
address = ctypes.addressof(ctypes.c_char.from_buffer(code))
ctypes.CFUNCTYPE(ctypes.c_long)(address)()
print("went on")
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="speaks x86_64")
@pytest.mark.parametrize(
    "code",
    [
        pytest.param("b8 14 00 00 00 cd 80 c3", id="a 32-bit call: getpid by int 0x80"),
        pytest.param("b8 27 00 00 40 0f 05 c3", id="an x32 call: getpid"),
    ],
)
def test_another_architecture_s_calls_end_the_program(code: str, sandbox: Sandbox) -> None:
    """Else its call numbers would pass a filter that knows only ours."""
    result = run_once(sandbox, MACHINE_CODE.format(code=code))
    assert result.status is Status.SIGNAL, result
    assert "went on" not in result.stdout.text


def test_python_s_own_directory_is_read_only_and_its_parents_are_empty(sandbox: Sandbox) -> None:
    program = f"""
import os
path = {sys.base_prefix!r}
while path != "/":
    parent = os.path.dirname(path)
    if not parent.startswith("/usr"):
        extra = set(os.listdir(parent)) - {{os.path.basename(path)}}
        assert parent == "/" or not extra, (parent, extra)
    path = parent
{HELD}"""
    result = run_once(sandbox, program)
    assert result.stdout.text == "held\n", result
