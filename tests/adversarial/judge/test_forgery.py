"""No wrong solution passes, and none leaves anything behind that another could use."""

import pytest
from adversarial.judge.forgeries import FORGERIES, SOCKETS

from codeloop.core.execution import TrialLimits
from codeloop.core.problem import (
    CheckTests,
    FunctionTests,
    Oracle,
    Problem,
    Reason,
    StdioCase,
    StdioTests,
    Tests,
)
from codeloop.core.protocols import Rig
from codeloop.judge.judging import judge

pytestmark = pytest.mark.jail

LIMITS = TrialLimits(cpu_s=4.0, wall_s=20.0, step_cpu_s=1.0, step_wall_s=4.0)
INPUTS = ((3,), (10,), (-4,))
RIGHT = "def f(x): return x * 37 + 11\n"
FLOAT_RIGHT = "def f(x): return x * 37.0 + 11.0\n"

TESTS: dict[str, tuple[Tests, str]] = {
    "given": (FunctionTests(INPUTS, tuple(x * 37 + 11 for (x,) in INPUTS)), RIGHT),
    "reference": (FunctionTests(INPUTS, reference=RIGHT), RIGHT),
    "floats": (FunctionTests(INPUTS, reference=FLOAT_RIGHT), FLOAT_RIGHT),
    "set": (
        FunctionTests(INPUTS, reference="def f(x): return [x, x * 37]", oracle=Oracle.SAME_SET),
        "def f(x): return (x * 37, x)\n",
    ),
    "check": (
        CheckTests(
            "def check(candidate):\n"
            "    assert candidate(3) == 122\n"
            "    assert abs(candidate(10) - 381) < 1e-6\n"
            "    assert candidate(-4) in (-137,), 'negative'\n"
        ),
        RIGHT,
    ),
    "asserts": (CheckTests("assert f(3) == 122\nassert f(10) == 381\n"), RIGHT),
}


@pytest.mark.parametrize("kind", TESTS)
@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_does_not_pass(rig: Rig, name: str, kind: str) -> None:
    tests, right = TESTS[kind]
    problem = Problem("p", "", (tests,), "f", limits=LIMITS)
    verdict = judge(problem, FORGERIES[name], rig)
    assert not verdict.passed
    assert not verdict.forgeable
    assert judge(problem, right, rig).passed


@pytest.mark.parametrize(
    "code",
    [
        "import os; os._exit(0)",
        "import sys; sys.exit(0)",
        "print(open('/proc/1/environ').read())",
        "import os, signal; os.kill(os.getppid(), signal.SIGKILL)",
        "import sys; sys.stdout = None",
        "while True: print('122')",
        "import os\nfor n in range(3, 99):\n  try: os.write(n, b'122')\n  except OSError: pass",
        "print(' ' * 10_000_000, end='')",
        "print('122', end='\\n\\n', flush=True); print('x')",
        "print('1\\x0022')",
    ],
)
def test_a_program_passes_by_its_output_alone(rig: Rig, code: str) -> None:
    case = StdioCase("3\n", "122\n")
    problem = Problem("p", "", (StdioTests((case,)),), limits=LIMITS)
    assert not judge(problem, code, rig).passed
    assert judge(problem, "print(int(input()) * 37 + 11)", rig).passed


def test_what_is_said_out_of_turn_is_a_reason_to_fail(rig: Rig) -> None:
    solution = (
        f"{SOCKETS}\ndef f(x):\n    for n in sockets(): os.write(n, b'x' * 64)\n    return 122\n"
    )
    problem = Problem("p", "", (FunctionTests(INPUTS, (122, 381, -137)),), "f", limits=LIMITS)
    assert judge(problem, solution, rig).reason is Reason.PROTOCOL


def test_a_candidate_finds_nothing_of_the_one_before(rig: Rig) -> None:
    leave = (
        "import os\nfor at in ('/work', '/tmp', '/dev/shm'):\n"
        "    open(f'{at}/left', 'w').write('x')\n    os.chmod(at, 0o700)\n"
        "def f(x): return 1\n"
    )
    look = (
        "import os\ndef f(x):\n    left = sum((os.listdir(at) for at in ('/work', '/tmp',"
        " '/dev/shm')), [])\n    modes = [os.stat(at).st_mode & 511 for at in ('/work', '/tmp')]\n"
        "    return [left, modes, [n for n in os.listdir('/proc') if n.isdigit()][2:]]\n"
    )
    problem = Problem("p", "", (FunctionTests((((1),),), (1,)),), "f", limits=LIMITS)
    assert judge(problem, leave, rig).passed
    clean = Problem("p", "", (FunctionTests((((1),),), ([[], [0o755, 0o777], []],)),), "f")
    verdict = judge(clean, look, rig)
    assert verdict.passed, verdict
