"""Hostile programs, and hostile input for compilers, in languages other than Python."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from adversarial.hostile import last
from polyglot import ROOMY, need, run_in

from codeloop.core.execution import MIB, ExecutionLimits, Status
from codeloop.sandbox import Sandbox, SandboxSession

pytestmark = pytest.mark.jail

BRIEF = replace(ROOMY, cpu_s=1.0, wall_s=40.0)
SMALL = replace(ROOMY, memory_bytes=192 * MIB)
FAILED_TO_COMPILE = (Status.COMPILE_ERROR, Status.MEMORY_LIMIT, Status.CPU_LIMIT)


@dataclass(frozen=True)
class Attack:
    language: str
    program: str
    statuses: tuple[Status, ...]
    limits: ExecutionLimits = ROOMY


ATTACKS = {
    "templates without end": Attack(
        "cpp",
        "template<int N> struct A { static const int v = A<N + 1>::v; };\n"
        "int main() { return A<0>::v; }",
        FAILED_TO_COMPILE,
    ),
    "a tree of templates": Attack(
        "cpp",
        "template<int D, long P> struct T { T<D - 1, P * 2> l; T<D - 1, P * 2 + 1> r; };\n"
        "template<long P> struct T<0, P> { int x; };\n"
        "int main() { T<22, 1> t; return sizeof t; }",
        FAILED_TO_COMPILE,
    ),
    "an include without end": Attack("c", '#include "/dev/zero"\n', FAILED_TO_COMPILE),
    "a file that includes itself": Attack("c", '#include "main.c"\n' * 9, FAILED_TO_COMPILE),
    "macros that grow": Attack(
        "c",
        "#define A(x) x x x x x x x x\n#define B(x) A(A(A(x)))\n#define C(x) B(B(B(x)))\n"
        "int f[] = { C(1,) };\nint main(void) { return 0; }",
        FAILED_TO_COMPILE,
    ),
    "errors without end": Attack(
        "c",
        "#define A(x) x x x x x x x x x x\nint main(void) { A(A(A(A(A(@;))))) }",
        (*FAILED_TO_COMPILE, Status.OUTPUT_LIMIT),
    ),
    "a host's file in an error": Attack(
        "c", '#include "/etc/shadow"\nint main(void) { return 0; }', (Status.COMPILE_ERROR,)
    ),
    "a host's file in a binary": Attack(
        "rust",
        'fn main() { print!("{}", include_str!("/etc/shadow")); }',
        (Status.COMPILE_ERROR,),
    ),
    "a loop in C": Attack("c", "int main(void) { for (;;); }", (Status.CPU_LIMIT,), BRIEF),
    "a loop in JavaScript": Attack("javascript", "for (;;);", (Status.CPU_LIMIT,), BRIEF),
    "a loop in Perl": Attack("perl", "1 while 1", (Status.CPU_LIMIT,), BRIEF),
    "a loop in Bash": Attack("bash", "while :; do :; done", (Status.CPU_LIMIT,), BRIEF),
    "a wait in Bash": Attack("bash", "sleep 99", (Status.WALL_LIMIT,), replace(BRIEF, wall_s=1.0)),
    "a fork bomb in Bash": Attack(
        "bash",
        "f() { f | f & }; f; wait; sleep 60",
        (Status.CPU_LIMIT, Status.WALL_LIMIT, Status.PROCESS_LIMIT, Status.ERROR, Status.OK),
        replace(BRIEF, wall_s=5.0),
    ),
    "a fork bomb in C": Attack(
        "c",
        "#include <unistd.h>\nint main(void) { for (;;) fork(); }",
        (Status.CPU_LIMIT, Status.WALL_LIMIT),
        BRIEF,
    ),
    "memory in JavaScript": Attack(
        "javascript",
        "const x = []; for (;;) x.push(new Array(100000).fill(Math.random()));",
        (Status.MEMORY_LIMIT,),
        SMALL,
    ),
    "buffers in JavaScript": Attack(
        "javascript",
        "const x = []; for (;;) x.push(Buffer.alloc(1 << 20, 1));",
        (Status.MEMORY_LIMIT,),
        SMALL,
    ),
    "memory in Java": Attack(
        "java",
        "class A { public static void main(String[] a) {\n"
        "var x = new java.util.ArrayList<long[]>(); for (;;) x.add(new long[100000]); } }",
        (Status.MEMORY_LIMIT,),
        SMALL,
    ),
    "memory in Go": Attack(
        "go",
        "package main\nfunc main() { x := []byte{1}; for { x = append(x, x...) } }",
        (Status.MEMORY_LIMIT,),
        SMALL,
    ),
    "memory in C++": Attack(
        "cpp",
        "#include <vector>\nint main() { std::vector<long> x; for (;;) x.push_back(1); }",
        (Status.MEMORY_LIMIT,),
        SMALL,
    ),
    "memory in PHP": Attack(
        "php",
        "<?php $x = []; while (true) $x[] = str_repeat('x', 100000);",
        (Status.MEMORY_LIMIT,),
        SMALL,
    ),
    "memory in Perl": Attack(
        "perl", "my @x; push @x, 'x' x 100000 while 1", (Status.MEMORY_LIMIT,), SMALL
    ),
    "memory in Ruby": Attack(
        "ruby", "x = []; loop { x << 'x' * 100000 }", (Status.MEMORY_LIMIT,), SMALL
    ),
    "a query without end": Attack(
        "sql",
        "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n",
        (Status.CPU_LIMIT,),
        BRIEF,
    ),
    "rows without end": Attack(
        "sql",
        "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n",
        (Status.CPU_LIMIT, Status.OUTPUT_LIMIT),
        replace(BRIEF, output_stop_bytes=MIB),
    ),
    "output without end": Attack(
        "bash", "yes", (Status.OUTPUT_LIMIT,), replace(ROOMY, output_stop_bytes=MIB)
    ),
    "a disk filled": Attack(
        "bash",
        "head -c 100M /dev/zero > a",
        (Status.DISK_LIMIT, Status.ERROR, Status.SIGNAL),
        replace(ROOMY, disk_bytes=8 * MIB),
    ),
}


@pytest.mark.timeout(240)  # a compiler may take its time before it is stopped
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_ends_as_it_should(sandbox: Sandbox, name: str) -> None:
    attack = ATTACKS[name]
    started = time.monotonic()
    result = run_in(sandbox, attack.language, attack.program, limits=attack.limits)
    assert result.status in attack.statuses, result.stderr.text[-500:]
    assert time.monotonic() - started < 150
    assert len(result.stderr.text) < 2 * attack.limits.output_bytes
    assert "root:" not in result.stdout.text + result.stderr.text


READS = {
    "c": '#include <stdio.h>\nint main(int c, char **v) {{ FILE *f = fopen("{path}", "r"); int x;\n'
    'if (!f) {{ puts("held"); return 0; }} while ((x = fgetc(f)) >= 0) putchar(x); }}',
    "bash": "cat {path} 2>/dev/null || echo held",
    "perl": "open(my $f, '<', '{path}') or do {{ print qq(held\\n); exit }}; print <$f>;",
    "javascript": "try {{ console.log(require('fs').readFileSync('{path}', 'utf8')) }}"
    " catch {{ console.log('held') }}",
    "sql": "select 'held'; attach '{path}' as x; select * from x.sqlite_master;",
}


@pytest.mark.parametrize("language", sorted(READS))
def test_a_file_of_the_host_is_not_there(sandbox: Sandbox, language: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret\n", encoding="ascii")
    secret.chmod(0o644)
    result = run_in(sandbox, language, READS[language].format(path=secret))
    assert "held" in result.stdout.text
    assert "the secret" not in result.stdout.text


CONNECTS = {
    "bash": "(exec 3<>/dev/tcp/127.0.0.1/22) 2>/dev/null && echo open || echo held",
    "perl": "use Socket; socket(my $s, PF_INET, SOCK_STREAM, 0) and print 'open' or print 'held'",
    "javascript": "require('net').connect(22, '127.0.0.1').on('connect', () => console.log('open'))"
    ".on('error', e => console.log('held', e.code))",
    "ruby": "require 'socket'; begin; TCPSocket.new('127.0.0.1', 22); puts 'open'\n"
    "rescue SystemCallError, SocketError; puts 'held'; end",
    "go": 'package main\nimport ("fmt"; "net")\n'
    'func main() { _, e := net.Dial("tcp", "127.0.0.1:22")\n'
    'if e == nil { fmt.Println("open") } else { fmt.Println("held") } }',
}


@pytest.mark.parametrize("language", sorted(CONNECTS))
def test_there_is_no_network(sandbox: Sandbox, language: str) -> None:
    result = run_in(sandbox, language, CONNECTS[language])
    assert result.stdout.text.startswith("held")


def test_a_shell_has_no_powers_and_no_descriptor_of_ours(sandbox: Sandbox) -> None:
    code = "grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status; ls /proc/self/fd | wc -l"
    result = run_in(sandbox, "bash", code)
    lines = result.stdout.text.split("\n")
    assert lines[0].split() == ["CapEff:", "0000000000000000"]
    assert lines[1].split() == ["NoNewPrivs:", "1"]
    assert lines[2].split() == ["Seccomp:", "2"]
    assert lines[3] == "4"  # stdin, stdout, stderr, and the directory that ls reads


def test_a_daemon_does_not_outlive_its_program(kernel: SandboxSession) -> None:
    code = "(setsid sleep 60 > /dev/null 2>&1 &); echo started"
    assert last(kernel.run(code, language="bash")).stdout.text == "started\n"
    seen = last(kernel.run("grep -l sleep /proc/[0-9]*/comm; true", language="bash"))
    assert seen.stdout.text == ""


def test_a_program_does_not_see_the_kernel_s_processes(kernel: SandboxSession) -> None:
    pid = last(kernel.run("import os; os.getpid()")).displays[0].text()
    code = f"ls -d /proc/[0-9]* | wc -l; kill -9 2 3 4 {pid}; true"
    last(kernel.run(code, language="bash"))
    assert last(kernel.run("os.getpid()")).displays[0].text() == pid


def test_a_planted_file_in_place_of_the_source_is_replaced(kernel: SandboxSession) -> None:
    for plant in ("os.symlink('/etc/passwd', 'main.sh')", "os.mkfifo('main.sh')"):
        last(kernel.run(f"import os; os.path.lexists('main.sh') and os.unlink('main.sh'); {plant}"))
        assert last(kernel.run("echo mine", language="bash")).stdout.text == "mine\n"
    last(kernel.run("os.unlink('main.sh'); os.makedirs('main.sh/x')"))
    result = last(kernel.run("echo mine", language="bash"))
    assert result.status is Status.ERROR
    assert "cannot be run: /work/main.sh" in result.stderr.text


def test_a_cache_does_not_pass_from_session_to_session(sandbox: Sandbox) -> None:
    need("go")
    first = sandbox.open_session(stateful=False, limits=ROOMY)
    second = sandbox.open_session(stateful=False, limits=ROOMY)
    program = 'package main\nimport "fmt"\nfunc main() { fmt.Println(1) }'
    assert last(first.run(program, language="go")).status is Status.OK
    for session in (first, second):
        assert last(session.run("ls -A /tmp", language="bash")).stdout.text == ""
