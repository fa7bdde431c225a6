"""Programs in every language: what they print, read, and leave, and how they fail."""

import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from adversarial.hostile import last
from polyglot import ROOMY, need, run_in

from codeloop.core.execution import ExecutionResult, OutputChunk, Status
from codeloop.sandbox import NAMES, Sandbox, SandboxSession

pytestmark = pytest.mark.jail


@dataclass(frozen=True)
class Sample:
    """Adds up the numbers on stdin and prints "sum N"; fails; does not compile, or not parse."""

    adds: str
    fails: str
    broken: str


SAMPLES = {
    "python": Sample(
        "import sys; print('sum', sum(map(int, sys.stdin)))", "raise ValueError('no')", "x = ("
    ),
    "javascript": Sample(
        "let s = 0; for (const l of require('fs').readFileSync(0, 'utf8').split('\\n')) s += +l;\n"
        "console.log('sum', s)",
        "throw new Error('no')",
        "let = (",
    ),
    "typescript": Sample(
        "import { readFileSync } from 'fs';\n"
        "const numbers: number[] = readFileSync(0, 'utf8').trim().split('\\n').map(Number);\n"
        "console.log('sum', numbers.reduce((a, b) => a + b));",
        "const e: Error = new Error('no'); throw e;",
        "let x: = (",
    ),
    "bash": Sample(
        "s=0; while read -r n; do s=$((s + n)); done; echo sum $s", "echo no >&2; exit 3", "if ("
    ),
    "c": Sample(
        "#include <stdio.h>\n"
        "int main(void) { int n, s = 0;\n"
        'while (scanf("%d", &n) == 1) s += n;\nprintf("sum %d\\n", s); }',
        '#include <stdio.h>\nint main(void) { fputs("no\\n", stderr); return 3; }',
        "int main(void) { return x; }",
    ),
    "cpp": Sample(
        "#include <iostream>\n"
        "int main() { int n, s = 0;\n"
        'while (std::cin >> n) s += n;\nstd::cout << "sum " << s << "\\n"; }',
        '#include <stdexcept>\nint main() { throw std::runtime_error("no"); }',
        "int main() { return x; }",
    ),
    "java": Sample(
        "import java.util.*;\npublic class Sum { public static void main(String[] a) {\n"
        "Scanner in = new Scanner(System.in); int s = 0;\n"
        "while (in.hasNextInt()) s += in.nextInt();\n"
        'System.out.println("sum " + s); } }',
        'class A { public static void main(String[] a) { throw new RuntimeException("no"); } }',
        "class A { int x = y; }",
    ),
    "rust": Sample(
        "use std::io::*;\nfn main() { let mut t = String::new();\n"
        "stdin().read_to_string(&mut t).unwrap();\n"
        'println!("sum {}", t.lines().map(|l| l.parse::<i32>().unwrap()).sum::<i32>()); }',
        'fn main() { panic!("no"); }',
        "fn main() { x }",
    ),
    "go": Sample(
        'package main\nimport "fmt"\n'
        "func main() { s, n := 0, 0; for { if _, e := fmt.Scan(&n); e != nil { break }; s += n }\n"
        'fmt.Println("sum", s) }',
        'package main\nfunc main() { panic("no") }',
        "package main\nfunc main() { x }",
    ),
    "r": Sample(
        "cat('sum', sum(scan(file('stdin'), quiet = TRUE)), '\\n', sep = ' ')",
        "stop('no')",
        "x <- (",
    ),
    "php": Sample(
        "<?php echo 'sum ', array_sum(file('php://stdin')), \"\\n\";",
        "<?php throw new Exception('no');",
        "<?php $x = (;",
    ),
    "ruby": Sample('puts "sum #{STDIN.map(&:to_i).sum}"', "raise 'no'", "x = ("),
    "perl": Sample(
        'my $s = 0; $s += $_ while <STDIN>; print "sum $s\\n";', "die 'no'", "my $x = (;"
    ),
}
COMPILED = {"c", "cpp", "java", "rust", "go", "typescript"}
NOT_SQL = sorted(SAMPLES)


def test_rust_compiles_where_few_processes_are_allowed(sandbox: Sandbox) -> None:
    few = replace(ROOMY, processes=8)
    result = run_in(sandbox, "rust", SAMPLES["rust"].adds, stdin=b"1\n2\n39\n", limits=few)
    assert (result.status, result.stdout.text) == (Status.OK, "sum 42\n")


@pytest.mark.parametrize("language", NOT_SQL)
def test_a_program_reads_and_prints(sandbox: Sandbox, language: str) -> None:
    result = run_in(sandbox, language, SAMPLES[language].adds, stdin=b"1\n2\n39\n")
    assert result.stderr.text == ""
    assert result.status is Status.OK
    assert result.stdout.text.strip() == "sum 42"
    assert result.exit_code == 0
    assert result.wall_s > 0


@pytest.mark.parametrize("language", NOT_SQL)
def test_a_program_fails_with_its_own_words(sandbox: Sandbox, language: str) -> None:
    result = run_in(sandbox, language, SAMPLES[language].fails)
    assert result.status in {Status.ERROR, Status.SIGNAL}
    assert "no" in result.stderr.text


@pytest.mark.parametrize("language", NOT_SQL)
def test_code_that_is_none_is_refused_with_its_place(sandbox: Sandbox, language: str) -> None:
    result = run_in(sandbox, language, SAMPLES[language].broken)
    wanted = Status.COMPILE_ERROR if language in {*COMPILED, "python"} else Status.ERROR
    if language == "typescript" and "esbuild" not in result.stderr.text:
        wanted = result.status  # a node that strips types itself refuses as it runs
    assert result.status is wanted
    assert result.stderr.text
    assert result.stdout.text == ""


def test_a_session_offers_what_is_here(sandbox: Sandbox, kernel: SandboxSession) -> None:
    assert {"python", "sql", "bash", "perl"} <= kernel.languages <= set(NAMES)


def test_sql_shows_tables_and_names_the_line_of_an_error(kernel: SandboxSession) -> None:
    code = "create table t (a, b); -- one; two\ninsert into t values (1, 'x;y'), (2, null);\n"
    made = last(kernel.run(code, language="sql"))
    assert made.status is Status.OK
    shown = last(kernel.run("select a, b from t", language="sql"))
    assert shown.stdout.text == "| a   | b    |\n| --- | ---- |\n| 1   | x;y  |\n| 2   | NULL |\n"
    failed = last(kernel.run("select 1;\n\nselect * from u;", language="sql"))
    assert failed.status is Status.ERROR
    assert failed.stderr.text == "line 3: OperationalError: no such table: u\n"
    read = "import sqlite3; sqlite3.connect('main.db').execute('select sum(a) from t').fetchone()"
    assert last(kernel.run(read)).displays[0].text() == "(3,)"


def test_a_program_shares_files_with_the_kernel_and_leaves_it_alone(kernel: SandboxSession) -> None:
    last(kernel.run("x = 41; open('a.txt', 'w').write('from python')"))
    shell = last(kernel.run("cat a.txt; echo from bash > b.txt; kill -9 $$", language="bash"))
    assert shell.stdout.text == "from python"
    assert shell.status is Status.SIGNAL
    assert not shell.state_lost
    after = last(kernel.run("x + 1, open('b.txt').read()"))
    assert after.displays[0].text() == "(42, 'from bash\\n')"
    assert not after.state_lost


def test_a_program_finds_what_the_one_before_it_left(kernel: SandboxSession) -> None:
    last(kernel.run("echo kept > /tmp/kept", language="bash"))
    last(kernel.run("import os; os._exit(1)"))  # a kernel that dies takes no files with it
    assert last(kernel.run("cat /tmp/kept", language="bash")).stdout.text == "kept\n"


def test_a_file_that_was_put_is_there_for_programs(kernel: SandboxSession, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("put\n", encoding="ascii")
    kernel.put_file(tmp_path / "in.txt")
    assert last(kernel.run("cat in.txt", language="bash")).stdout.text == "put\n"
    kernel.restart()
    assert (
        last(kernel.run("cat in.txt; ls", language="bash")).stdout.text == "put\nin.txt\nmain.sh\n"
    )


def test_a_one_shot_run_starts_with_an_empty_disk(sandbox: Sandbox) -> None:
    session = sandbox.open_session(stateful=False, limits=ROOMY)
    last(session.run("touch /work/x /tmp/x /dev/shm/x", language="bash"))
    seen = last(session.run("ls /work /tmp /dev/shm", language="bash"))
    assert "x" not in seen.stdout.text.split()


def test_a_program_is_interrupted(kernel: SandboxSession) -> None:
    last(kernel.run("x = 1"))
    threading.Timer(0.5, kernel.interrupt).start()
    started = time.monotonic()
    result = last(kernel.run("sleep 30; echo late", language="bash"))
    assert result.status is Status.INTERRUPTED
    assert time.monotonic() - started < 10
    assert last(kernel.run("x")).displays[0].text() == "1"


def test_a_run_that_is_dropped_is_killed_and_the_session_goes_on(kernel: SandboxSession) -> None:
    events = kernel.run("echo first; sleep 60", language="bash")
    assert isinstance(next(events), OutputChunk)
    events.close()
    assert last(kernel.run("echo next", language="bash")).stdout.text == "next\n"
    assert last(kernel.run("1 + 1")).status is Status.OK


def test_output_comes_as_it_is_written(kernel: SandboxSession) -> None:
    events = kernel.run("echo one; sleep 0.3; echo two", language="bash")
    chunks = [event.text for event in events if isinstance(event, OutputChunk)]
    assert chunks == ["one\n", "two\n"]


def test_a_kernel_that_dies_amid_a_request_for_its_disk_is_noticed(kernel: SandboxSession) -> None:
    last(kernel.run("import os, threading; threading.Timer(0.2, os._exit, [0]).start()"))
    time.sleep(0.5)
    assert last(kernel.run("echo alive", language="bash")).stdout.text == "alive\n"
    after = last(kernel.run("'os' in globals()"))
    assert after.state_lost
    assert after.displays[0].text() == "False"


def test_what_is_missing_is_named_with_its_package(kernel: SandboxSession) -> None:
    result = last(kernel.run("x", language="cobol"))
    assert result.status is Status.UNSUPPORTED
    assert "no such language" in result.stderr.text


def test_exec_guesses_the_language_from_the_file(tmp_path: Path) -> None:
    program = tmp_path / "hello.sh"
    program.write_text('echo "hello $((6 * 7))"\n', encoding="ascii")
    done = subprocess.run(
        [sys.executable, "-m", "codeloop", "exec", str(program)],
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("hello 42\n", "", 0)


@pytest.mark.slow
def test_prepared_headers_and_classes_are_used(tmp_path: Path) -> None:
    need("cpp")
    from codeloop.sandbox import open_sandbox, prepare_toolchain  # noqa: PLC0415

    folder = tmp_path / "toolchain"
    assert list(prepare_toolchain(folder))
    tmp_path.chmod(0o755)
    with open_sandbox(toolchain=folder) as prepared:
        code = "find /opt/toolchain -name '*.gch'; touch /opt/toolchain/x"
        seen = run_in(prepared, "bash", code)
        assert seen.stdout.text == "/opt/toolchain/cpp/bits/stdc++.h.gch\n"
        assert "Read-only" in seen.stderr.text
        program = "#include <bits/stdc++.h>\nint main() { std::cout << __GNUC__ << '\\n'; }"
        result = run_in(prepared, "cpp", program)
        assert result.status is Status.OK
        flagged = f"echo '{program}' > a.cpp; g++ -std=gnu++20 -H -I/opt/toolchain/cpp -c a.cpp"
        assert (
            "! /opt/toolchain/cpp/bits/stdc++.h.gch"
            in run_in(prepared, "bash", flagged).stderr.text
        )


def test_results_say_what_a_run_took(sandbox: Sandbox) -> None:
    result = run_in(sandbox, "perl", "my $x = 'x' x 50_000_000; 1 for 1..2_000_000;")
    assert isinstance(result, ExecutionResult)
    assert result.cpu_s > 0.02
    assert result.peak_memory_bytes > 40_000_000
