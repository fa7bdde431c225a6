"""A pool runs programs in jails that know nothing of each other."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from codeloop.core.errors import ConfigError, DataError, IsolationError, SandboxError
from codeloop.core.execution import MIB, ExecutionLimits, Isolation, Status
from codeloop.sandbox import Pool, Program, open_pool, open_sandbox


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with open_pool(slots=2) as pool:
        yield pool


def test_results_come_in_order(pool: Pool) -> None:
    programs = (Program(f"import time\ntime.sleep({n % 3} / 50)\nprint({n})") for n in range(20))
    outputs = [result.stdout.text for result in pool.run_many(programs)]
    assert outputs == [f"{n}\n" for n in range(20)]


def test_programs_are_taken_as_they_are_needed(pool: Pool) -> None:
    taken = 0

    def endless() -> Iterator[Program]:
        nonlocal taken
        while True:
            taken += 1
            yield Program("pass")

    results = pool.run_many(endless())
    assert [next(results).status for _ in range(5)] == [Status.OK] * 5
    assert taken <= 5 + 4 * pool.slots
    results.close()  # type: ignore[attr-defined]
    assert pool.run(Program("print(1)")).stdout.text == "1\n"


def test_a_program_finds_its_files_and_the_next_does_not(pool: Pool) -> None:
    listing = "import os\nprint(sorted(os.listdir()), open('data/a.txt').read())"
    files = (("data/a.txt", b"hello"), ("b.bin", b"\0"))
    assert (
        pool.run(Program(listing, files=files)).stdout.text
        == "['b.bin', 'data', 'main.py'] hello\n"
    )
    for _ in range(pool.slots):
        assert pool.run(Program("import os\nprint(os.listdir())")).stdout.text == "['main.py']\n"


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "", "a/../../b"])
def test_a_file_that_leads_elsewhere_is_refused(pool: Pool, name: str) -> None:
    with pytest.raises(DataError, match="not a path"):
        pool.run(Program("pass", files=(("fine", b"1"), (name, b"2"))))
    assert pool.run(Program("import os\nprint(os.listdir())")).stdout.text == "['main.py']\n"


def test_a_file_that_does_not_fit_is_refused(pool: Pool) -> None:
    limits = ExecutionLimits(disk_bytes=MIB)
    with pytest.raises(DataError, match="big"):
        pool.run(Program("pass", files=(("big", bytes(2 * MIB)),), limits=limits))
    assert pool.run(Program("print(1)", limits=limits)).stdout.text == "1\n"


def test_limits_are_each_programs_own(pool: Pool) -> None:
    small = ExecutionLimits(disk_bytes=MIB)
    filling = f"open('f', 'wb').write(bytes({4 * MIB}))"
    assert pool.run(Program(filling, limits=small)).status is Status.DISK_LIMIT
    assert pool.run(Program(filling)).status is Status.OK
    slow = Program("while True: pass", limits=ExecutionLimits(cpu_s=0.2))
    assert pool.run(slow).status is Status.CPU_LIMIT


def test_stdin_and_other_languages(pool: Pool) -> None:
    assert pool.run(Program("print(input())", stdin=b"line\n")).stdout.text == "line\n"
    assert pool.run(Program("read x; echo $x", "bash", stdin=b"sh\n")).stdout.text == "sh\n"
    assert pool.run(Program("", "klingon")).status is Status.UNSUPPORTED


def test_what_stands_between_programs(pool: Pool) -> None:
    leave = "import os, time\nopen('/tmp/x', 'w').close()\nos.fork() or time.sleep(99)"
    look = (
        "import os\nprint(os.listdir('/tmp'), len([p for p in os.listdir('/proc') if p.isdigit()]))"
    )
    programs = [Program(leave), Program(look)] * 4
    results = list(pool.run_many(programs))
    assert [result.stdout.text for result in results[1::2]] == [results[1].stdout.text] * 4
    assert results[1].stdout.text in {"[] 1\n", "[] 2\n"}


def test_many_threads_share_the_slots() -> None:
    with open_pool(slots=2) as pool, ThreadPoolExecutor(8) as threads:
        programs = (Program(f"print({n})") for n in range(8))
        outputs = [result.stdout.text for result in threads.map(pool.run, programs)]
    assert outputs == [f"{n}\n" for n in range(8)]


def test_a_closed_pool_says_so() -> None:
    pool = open_pool(slots=1)
    pool.close()
    with pytest.raises(SandboxError, match="closed"):
        pool.run(Program("pass"))


def test_a_pool_closed_in_mid_run_ends_the_run() -> None:
    pool = open_pool(slots=1)
    failures: list[Exception] = []

    def work() -> None:
        try:
            pool.run(Program("import time\ntime.sleep(60)"))
        except SandboxError as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while not pool.busy:
        time.sleep(0.001)
    pool.close()
    thread.join(10)
    assert not thread.is_alive()
    assert len(failures) == 1


def test_a_slot_asked_of_a_zygote_that_was_closed_is_an_error_of_ours() -> None:
    with open_sandbox() as sandbox:
        zygote = sandbox._zygote
        zygote.close()
        with pytest.raises(SandboxError, match="has ended"):
            zygote.open_slot(ExecutionLimits())


def test_no_slots_is_an_error() -> None:
    with pytest.raises(ConfigError, match="1 slot"):
        open_pool(slots=0)


def test_a_tier_has_its_modules_warm(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)  # or nobody but root may look into it
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text("class random:\n    seed = dict\n")
    with open_pool(slots=1, guest_packages=tmp_path) as pool:
        code = "import sys\nprint('numpy' in sys.modules)\nimport numpy"
        assert pool.run(Program(code)).stdout.text == "True\n"
        code = "import sys\nprint('nump' + 'y' in sys.modules)"
        assert pool.run(Program(code)).stdout.text == "False\n"


def test_a_lower_level_is_stamped_into_results() -> None:
    try:
        pool = open_pool(slots=1, isolation=Isolation.LANDLOCK)
    except IsolationError as error:
        pytest.skip(str(error))
    with pool:
        assert pool.run(Program("print(1)")).isolation is Isolation.LANDLOCK
