"""A session is built again from what it has run."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest
from adversarial.hostile import LIMITS, last, run

from codeloop.core.execution import (
    ExecutionResult,
    InputRequested,
    OutputChunk,
    Status,
)
from codeloop.sandbox import Sandbox, SandboxSession
from codeloop.sandbox.stateful.pool import PoolLimits, SessionPool

pytestmark = pytest.mark.jail

DEATHS = {
    "killed": "import os; os.kill(os.getpid(), 9)",
    "left": "import os; os._exit(0)",
    "memory": "x = bytearray(10**9)",
    "time": "while True: pass",
    "output": "while True: print('x' * 10**6)",
}


def shown(result: ExecutionResult) -> list[str]:
    return [display.text() for display in result.displays]


@pytest.mark.parametrize("death", DEATHS)
def test_what_a_dead_kernel_knew_is_made_again(death: str, kernel: SandboxSession) -> None:
    run(kernel, "x = [1]\nopen('made.txt', 'w').write('made')")
    run(kernel, "x.append(len(x) + 1); x")
    run(kernel, DEATHS[death], replace(LIMITS, cpu_s=1))
    if death != "memory":  # which is an exception, and may be survived
        assert shown(run(kernel, "'x' in globals()")) == ["False"]
    replay = kernel.replay(kernel.cells[:2])
    assert (replay.cells, replay.complete, replay.differences) == (2, True, ())
    assert shown(run(kernel, "(x, open('made.txt').read())")) == ["([1, 2], 'made')"]


def test_a_cell_that_raised_is_run_again_as_far_as_it_came(kernel: SandboxSession) -> None:
    run(kernel, "a = 1; 1 / 0; b = 2")
    run(kernel, "def f(:")
    replay = kernel.replay()
    assert (replay.cells, replay.differences) == (1, ())
    assert shown(run(kernel, "(a, 'b' in globals())")) == ["(1, False)"]


def test_what_differs_is_told(kernel: SandboxSession) -> None:
    run(kernel, "import time, os\nprint('same')")
    run(kernel, "time.time_ns()")
    run(kernel, "object()")
    run(kernel, "open('/dev/shm/' + os.urandom(8).hex(), 'w').close(); 1")
    replay = kernel.replay()
    assert replay.complete
    (difference,) = replay.differences
    assert difference.cell == 2
    assert difference.before.startswith("ok: 1")
    assert difference.before != difference.now


def test_files_that_were_put_are_there_and_other_languages_run_again(
    kernel: SandboxSession, tmp_path: Path
) -> None:
    data = tmp_path / "data.csv"
    data.write_text("1,2", encoding="utf-8")
    kernel.put_file(data, "in/data.csv")
    last(kernel.run("cat in/data.csv > copy.csv", language="bash"))
    run(kernel, "text = open('copy.csv').read()")
    data.unlink()
    assert kernel.replay().complete
    assert shown(run(kernel, "text")) == ["'1,2'"]


def typing(
    events: Generator[OutputChunk | InputRequested | ExecutionResult, None, None],
    session: SandboxSession,
    line: str,
) -> ExecutionResult:
    for event in events:
        if isinstance(event, InputRequested):
            session.send_input(line)
        if isinstance(event, ExecutionResult):
            return event
    raise AssertionError


def test_what_was_typed_is_typed_again(sandbox: Sandbox) -> None:
    session = sandbox.open_session(stateful=True, interactive=True, limits=LIMITS)
    result = typing(session.run("name = input('Who? ')\nname"), session, "Ada")
    assert shown(result) == ["'Ada'"]
    assert session.replay().differences == ()
    assert session.cells[0].lines == ("Ada",)
    session.close()


def test_a_replay_that_cannot_go_on_says_so_and_can_be_tried_again(
    kernel: SandboxSession,
) -> None:
    run(kernel, "import os\nfirst = os.path.exists('/tmp/x'); open('/work/y', 'w').close()")
    for code in ("a = 1", "b = 2", "c = 3"):
        run(kernel, code)
    cells = kernel.cells
    fatal = replace(cells[2].asked, code="import os; os._exit(1)")
    broken = [*cells[:2], replace(cells[2], asked=fatal), *cells[3:]]
    replay = kernel.replay(broken)
    assert (replay.cells, replay.complete) == (2, False)
    assert kernel.replay(cells).complete
    assert shown(run(kernel, "(a, b, c)")) == ["(1, 2, 3)"]


def test_a_restart_forgets_the_cells(kernel: SandboxSession) -> None:
    run(kernel, "x = 1")
    kernel.restart()
    assert kernel.cells == ()
    assert kernel.replay().cells == 0


def test_a_session_that_a_pool_has_closed_is_made_again_in_another(sandbox: Sandbox) -> None:
    now = [0.0]
    kept = {}

    def keep(session: SandboxSession) -> None:
        kept["cells"] = session.cells

    with SessionPool(
        lambda: sandbox.open_session(stateful=True, limits=LIMITS),
        limits=PoolLimits(spares=1, idle_s=60.0),
        on_reap=keep,
        clock=lambda: now[0],
        tends=False,
    ) as pool:
        pool.tend()
        session = pool.take("ada")
        assert run(session, "x = 41").status is Status.OK
        assert session.memory_bytes() > 1_000_000
        assert session.idle_since is not None
        now[0] = session.idle_since + 61.0
        pool.tend()
        assert not session.alive
        another = pool.take("ada")
        assert another.replay(kept["cells"]).complete
        assert shown(run(another, "x + 1")) == ["42"]


def test_a_session_is_idle_between_runs_and_not_in_them(kernel: SandboxSession) -> None:
    seen = [kernel.idle_since]
    events = kernel.run("print('x', flush=True)\nimport time; time.sleep(30)")
    next(events)
    seen.append(kernel.idle_since)
    events.close()
    run(kernel, "1")
    seen.append(kernel.idle_since)
    first, busy, after = seen
    assert busy is None
    assert first is not None
    assert after is not None
    assert after > first
