"""Programs that take more than their share: each is stopped, named, and the next run is well."""

import time
from dataclasses import dataclass, replace

import pytest
from adversarial.hostile import LIMITS, run, run_once

from codeloop.core.execution import MIB, ExecutionLimits, Status
from codeloop.sandbox import Sandbox, SandboxSession

pytestmark = pytest.mark.jail

QUICK = replace(LIMITS, wall_s=1.0)
BRIEF = replace(LIMITS, cpu_s=0.5)


@dataclass(frozen=True)
class Bomb:
    program: str
    statuses: tuple[Status, ...]
    limits: ExecutionLimits = LIMITS


BOMBS = {
    "fork bomb": Bomb("import os\nwhile True: os.fork()", (Status.PROCESS_LIMIT, Status.CPU_LIMIT)),
    "patient fork bomb": Bomb(
        "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
        (Status.CPU_LIMIT,),
        BRIEF,
    ),
    "threads": Bomb(
        "import threading, time\n"
        "for _ in range(99): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
        (Status.PROCESS_LIMIT,),
    ),
    "one large object": Bomb("bytearray(10**10)", (Status.MEMORY_LIMIT,)),
    "many objects": Bomb("x = []\nwhile True: x.append(bytearray(10**6))", (Status.MEMORY_LIMIT,)),
    "small objects": Bomb("x = [None]\nwhile True: x = x + x", (Status.MEMORY_LIMIT,)),
    "many processes' memory": Bomb(
        """
import os, time
for _ in range(8):
    if os.fork() == 0:
        taken = bytearray(100 * 10**6)
        for at in range(0, len(taken), 4096): taken[at] = 1
        time.sleep(60)
        os._exit(0)
time.sleep(60)""",
        (Status.MEMORY_LIMIT,),
    ),
    "shared memory": Bomb(
        "import mmap\nx = mmap.mmap(-1, 10**9)\nfor at in range(0, 10**9, 4096): x[at] = 1",
        (Status.MEMORY_LIMIT, Status.ERROR),
    ),
    "memfd": Bomb("import os\nos.memfd_create('x')", (Status.ERROR,)),
    "disk": Bomb(
        "f = open('/work/x', 'wb')\nwhile True: f.write(bytes(10**6))", (Status.DISK_LIMIT,)
    ),
    "disk in /dev/shm": Bomb(
        "f = open('/dev/shm/x', 'wb')\nwhile True: f.write(bytes(10**6))", (Status.DISK_LIMIT,)
    ),
    "disk in many files": Bomb(
        "for i in range(99):\n  with open(f'/tmp/{i}', 'wb') as f: f.write(bytes(10**6))",
        (Status.DISK_LIMIT,),
    ),
    "sparse file": Bomb("f = open('/tmp/x', 'wb')\nf.truncate(10**12)", (Status.DISK_LIMIT,)),
    "inodes": Bomb("for i in range(10**4): open(f'/tmp/{i}', 'w').close()", (Status.DISK_LIMIT,)),
    "open files": Bomb("x = [open('/dev/null') for _ in range(10**4)]", (Status.ERROR,)),
    "output": Bomb("while True: print('x' * 10**5)", (Status.OUTPUT_LIMIT,)),
    "output on stderr": Bomb(
        "import os\nwhile True: os.write(2, bytes(10**5))", (Status.OUTPUT_LIMIT,)
    ),
    "output of a child": Bomb("import subprocess\nsubprocess.run(['yes'])", (Status.OUTPUT_LIMIT,)),
    "spinning": Bomb("while True: pass", (Status.CPU_LIMIT,), BRIEF),
    "spinning in children": Bomb(
        "import os\nfor _ in range(3): os.fork()\nwhile True: pass", (Status.CPU_LIMIT,), BRIEF
    ),
    "spinning in C": Bomb("10 ** 10 ** 9", (Status.CPU_LIMIT, Status.MEMORY_LIMIT), BRIEF),
    "spinning in a thread": Bomb(
        "import threading\n"
        "def spin():\n  while True: pass\n"
        "t = threading.Thread(target=spin)\nt.start()\nt.join()",
        (Status.CPU_LIMIT,),
        BRIEF,
    ),
    "sleeping": Bomb("import time\ntime.sleep(60)", (Status.WALL_LIMIT,), QUICK),
    "waiting for input on a pipe": Bomb(
        "import os\nr, w = os.pipe()\nos.read(r, 1)", (Status.WALL_LIMIT,), QUICK
    ),
    "handling SIGALRM": Bomb(
        """
import signal
def again(*_): signal.setitimer(signal.ITIMER_REAL, 0.001)
signal.signal(signal.SIGALRM, again)
again()
while True: pass""",
        (Status.CPU_LIMIT,),
        BRIEF,
    ),
    "handling SIGXCPU": Bomb(
        """
import signal
signal.signal(signal.SIGXCPU, lambda *_: None)
while True: pass""",
        (Status.CPU_LIMIT,),
        BRIEF,
    ),
    "blocking all signals": Bomb(
        """
import signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
time.sleep(60)""",
        (Status.WALL_LIMIT,),
        QUICK,
    ),
    "raising its limits": Bomb(
        """
import resource
for kind in (resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE,
             resource.RLIMIT_NOFILE, resource.RLIMIT_CORE):
    soft, hard = resource.getrlimit(kind)
    assert hard != resource.RLIM_INFINITY, kind
    try: resource.setrlimit(kind, (hard + 1, hard + 1))
    except (ValueError, OSError): continue
    raise AssertionError(kind)
bytearray(10**9)""",
        (Status.MEMORY_LIMIT,),
    ),
    "recursion": Bomb("def f(): f()\nf()", (Status.ERROR,)),
    "deep recursion": Bomb(
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()",
        (Status.CPU_LIMIT, Status.MEMORY_LIMIT, Status.SIGNAL),
        BRIEF,
    ),
    "recursion in C": Bomb(
        "import sys\nsys.setrecursionlimit(10**9)\nx = []\nfor _ in range(10**6): x = [x]\nrepr(x)",
        (Status.CPU_LIMIT, Status.SIGNAL, Status.MEMORY_LIMIT, Status.ERROR),
        BRIEF,
    ),
    "deep source": Bomb("(" * 10**5, (Status.COMPILE_ERROR, Status.MEMORY_LIMIT)),
    "endless exit": Bomb(
        "import atexit, time\natexit.register(time.sleep, 60)\nprint('said')",
        (Status.WALL_LIMIT, Status.OK),  # a cell does not exit
        QUICK,
    ),
    "endless __del__": Bomb(
        "class A:\n  def __del__(self):\n    while True: pass\na = A()\ndel a",
        (Status.CPU_LIMIT,),
        BRIEF,
    ),
    "endless __repr__": Bomb(
        "class A:\n  def __repr__(self):\n    while True: pass\nprint(A())",
        (Status.CPU_LIMIT,),
        BRIEF,
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_program_is_stopped_and_the_next_one_runs(name: str, sandbox: Sandbox) -> None:
    bomb = BOMBS[name]
    session = sandbox.open_session(stateful=False, limits=bomb.limits)
    try:
        result = run(session, bomb.program, bomb.limits)
        assert result.status in bomb.statuses, result
        after = run(session, "import os; print(os.listdir('/tmp'), os.listdir('/dev/shm'))")
        assert (after.status, after.stdout.text) == (Status.OK, "[] []\n")
    finally:
        session.close()


@pytest.mark.parametrize("name", BOMBS)
def test_a_cell_is_stopped_and_the_next_one_runs(name: str, sandbox: Sandbox) -> None:
    bomb = BOMBS[name]
    session = sandbox.open_session(stateful=True, limits=bomb.limits)
    try:
        assert run(session, "kept = 7").status is Status.OK
        result = run(session, bomb.program, bomb.limits)
        assert result.status in bomb.statuses, result
        after = run(session, "'kept' in globals()", replace(LIMITS, wall_s=20.0))
        if after.status is Status.OK:  # unless what it left behind was only stopped now
            lost = result.state_lost or after.state_lost
            assert after.displays[0].text() == str(not lost), (result, after)
        assert run(session, "1").status is Status.OK or run(session, "1").status is Status.OK
    finally:
        session.close()


def test_a_killed_run_keeps_what_it_wrote_and_its_measures(sandbox: Sandbox) -> None:
    program = "print('written', flush=True)\nx = bytearray(50 * 10**6)\nwhile True: pass"
    result = run_once(sandbox, program, BRIEF)
    assert result.status is Status.CPU_LIMIT
    assert result.stdout.text == "written\n"
    assert 0.5 <= result.cpu_s < 4
    assert result.wall_s >= 0.5
    assert 50 * 10**6 < result.peak_memory_bytes < 150 * MIB
    assert result.signal == 9
    assert result.exit_code is None


def test_shared_pages_count_once(sandbox: Sandbox) -> None:
    """Else an honest pool of workers over one large table would be killed."""
    program = """
import os, time
table = bytearray(120 * 10**6)
for _ in range(4):
    if os.fork() == 0:
        time.sleep(0.5)
        os._exit(0)
for _ in range(4): os.wait()
print("done")"""
    result = run_once(sandbox, program)
    assert (result.status, result.stdout.text) == (Status.OK, "done\n")


def test_a_run_s_own_limits_hold_for_that_run_alone(kernel: SandboxSession) -> None:
    assert run(kernel, "import time; time.sleep(5)", QUICK).status is Status.WALL_LIMIT
    started = time.monotonic()
    assert run(kernel, "import time; time.sleep(1.2)").status is Status.OK
    assert time.monotonic() - started > 1.1


def test_a_timeout_is_confirmed_dead(kernel: SandboxSession) -> None:
    """The demo's kernel was dropped after its timeout, and went on burning the processor."""
    result = run(kernel, "import os\nfor _ in range(3): os.fork()\nwhile True: pass", BRIEF)
    assert result.status is Status.CPU_LIMIT
    assert result.state_lost
    seen = run(kernel, "import os; len([p for p in os.listdir('/proc') if p.isdigit()])")
    assert seen.displays[0].text() == "1"  # the fresh kernel alone
