"""Programs that abuse their output: it is kept, capped, and never waited for in vain."""

import time
from dataclasses import replace

import pytest
from adversarial.hostile import LIMITS, last, run, run_once

from codeloop.core.execution import KIB, MIB, ExecutionLimits, OutputChunk, Status
from codeloop.sandbox import Sandbox, SandboxSession

pytestmark = pytest.mark.jail

WRITERS = {
    "a line of 10 MB": ("print('x' * 10_000_000)", 10_000_001),
    "zeros": ("import os; os.write(1, bytes(1000))", 1000),
    "every byte": ("import os; os.write(1, bytes(range(256)) * 100)", 25_600),
    "bad UTF-8": ("import os; os.write(1, b'ok\\xff\\xfe\\xc3')", 5),
    "bytes one by one": (
        "import os\nfor byte in 'häßlich €'.encode(): os.write(1, bytes([byte]))",
        13,
    ),
    "no line end": ("import sys; sys.stdout.write('x')", 1),
    "escape sequences": ("print('\\x1b[2J\\x1b]0;title\\x07')", 15),
    "carriage returns": ("print('a\\r\\nb\\rc')", 7),
    "several processes": (
        """
import os
for _ in range(4):
    if os.fork() == 0: os.write(1, b'x' * 1000); os._exit(0)
for _ in range(4): os.wait()""",
        4000,
    ),
    "fast and long": ("for _ in range(50_000): print('0123456789')", 550_000),
}


@pytest.mark.parametrize("name", WRITERS)
def test_output_is_counted_and_capped(name: str, sandbox: Sandbox, kernel: SandboxSession) -> None:
    program, size = WRITERS[name]
    for result in (run_once(sandbox, program), run(kernel, program + "\nNone")):
        assert result.status is Status.OK, result
        assert result.stdout.total_bytes == size
        assert result.stdout.truncated is (size > LIMITS.output_bytes)
        assert len(result.stdout.text) <= LIMITS.output_bytes + 100


def test_bad_bytes_survive_as_data(sandbox: Sandbox) -> None:
    """SandboxFusion replaced such output by a word of its own, and lost it."""
    result = run_once(sandbox, "import os; os.write(1, b'a\\0b\\xffc'); os.write(2, b'\\xe2\\x82')")
    assert result.stdout.text == "a\0b\ufffdc"
    assert result.stderr.text == "\ufffd"


def test_190_kilobytes_do_not_hang(sandbox: Sandbox) -> None:
    """SandboxFusion read its pipes after the end only, so that longer output timed out."""
    result = run_once(
        sandbox, "print('x' * 190_000); import sys; print('y' * 190_000, file=sys.stderr)"
    )
    assert result.status is Status.OK
    assert (result.stdout.total_bytes, result.stderr.total_bytes) == (190_001, 190_001)


def test_head_and_tail_of_a_long_stream_are_kept(sandbox: Sandbox) -> None:
    limits = replace(LIMITS, output_bytes=1 * KIB)
    result = run_once(sandbox, "for i in range(100_000): print(i)", limits)
    text = result.stdout.text
    assert text.startswith("0\n1\n2\n")
    assert text.endswith("99998\n99999\n")
    assert "bytes left out" in text
    assert len(text) < 1.2 * KIB


def test_pieces_stop_at_the_cap(sandbox: Sandbox) -> None:
    session = sandbox.open_session(stateful=False, limits=LIMITS)
    try:
        events = list(session.run("for i in range(100_000): print(i)", limits=LIMITS))
        pieces = "".join(event.text for event in events if isinstance(event, OutputChunk))
        assert len(pieces) == LIMITS.output_bytes
        assert last(iter(events)).stdout.text.startswith(pieces[: LIMITS.output_bytes // 2])
    finally:
        session.close()


def test_a_grandchild_that_keeps_the_pipe_is_not_waited_for(sandbox: Sandbox) -> None:
    program = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            os.write(1, b".")
            time.sleep(0.01)
    os._exit(0)
print("done")
"""
    started = time.monotonic()
    result = run_once(sandbox, program)
    assert result.status is Status.OK
    assert result.stdout.text.replace(".", "") == "done\n"
    assert time.monotonic() - started < 10


def test_a_cell_s_child_that_writes_on_is_not_waited_for(kernel: SandboxSession) -> None:
    program = """
import subprocess
child = subprocess.Popen(["sh", "-c", "while :; do echo x; done"])
print("done")
"""
    assert run(kernel, program).status is Status.OK
    assert run(kernel, "child.kill(); child.wait(); 'ok'").displays[0].text() == "'ok'"


def test_closed_streams_are_harmless(sandbox: Sandbox) -> None:
    for program in (
        "import os; os.close(1); os.close(2)",
        "import os, sys; os.close(0); os.close(1); os.close(2); os._exit(0)",
        "import sys; sys.stdout = None; sys.stderr = None; print('x')",
    ):
        result = run_once(sandbox, program)
        assert result.status is Status.OK, (program, result)


def test_a_process_that_waits_for_its_reader_is_not_stuck(sandbox: Sandbox) -> None:
    """A consumer that is slow to take the pieces must not lose any."""
    session = sandbox.open_session(stateful=False, limits=LIMITS)
    total = 0
    try:
        for event in session.run("for _ in range(100): print('x' * 5000)", limits=LIMITS):
            time.sleep(0.002)
            if isinstance(event, OutputChunk):
                total += len(event.text)
            else:
                assert last(iter([event])).stdout.total_bytes == 500_100
    finally:
        session.close()
    assert total == LIMITS.output_bytes


def test_endless_output_ends_at_its_limit(sandbox: Sandbox, kernel: SandboxSession) -> None:
    limits = replace(LIMITS, output_stop_bytes=1 * MIB)
    program = "import sys\nwhile True: print('x' * 1000); print('y' * 1000, file=sys.stderr)"
    for result in (run_once(sandbox, program, limits), run(kernel, program, limits)):
        assert result.status is Status.OUTPUT_LIMIT
        assert result.stdout.total_bytes + result.stderr.total_bytes < 2 * MIB


def test_a_huge_value_is_shown_in_part(kernel: SandboxSession) -> None:
    result = run(kernel, "'x' * 10_000_000")
    text = result.displays[0].text()
    assert len(text) < 100_000
    assert "characters left out" in text


def test_an_unprintable_value_is_an_error_of_the_cell(kernel: SandboxSession) -> None:
    result = run(kernel, "class A:\n  def __repr__(self): return 1\nA()")
    assert result.status is Status.ERROR
    assert result.error is not None
    assert result.error.name == "TypeError"
    surrogate = run(kernel, "'\\ud800'")
    assert surrogate.displays[0].text() == "'\\ud800'"


def test_an_error_that_cannot_be_told_is_still_one(kernel: SandboxSession) -> None:
    program = """
class Strange(Exception):
    def __str__(self): raise RuntimeError("no")
raise Strange
"""
    result = run(kernel, program)
    assert result.status is Status.ERROR
    assert result.error is not None
    assert result.error.name == "Strange"


def test_tiny_limits_hold(sandbox: Sandbox) -> None:
    limits = ExecutionLimits(output_bytes=0)
    result = run_once(sandbox, "print('x' * 100)", limits)
    assert result.status is Status.OK
    assert result.stdout.total_bytes == 101
    assert result.stdout.truncated
