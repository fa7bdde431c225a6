"""The table of languages: every row is sound, and a machine without tools is told what it needs."""

from pathlib import Path

import pytest

from codeloop.core.codeblocks import normalise_language
from codeloop.core.execution import MIB, ExecutionLimits, ExecutionResult, Output, Status
from codeloop.sandbox import languages
from codeloop.sandbox.languages import BUILT_IN, ENDINGS, NAMES, TABLE, Language, install_hint
from codeloop.sandbox.program import judge_step, steps

LIMITS = ExecutionLimits(memory_bytes=512 * MIB)
ROWS = {row.name: row for row in TABLE if row.run}


@pytest.mark.parametrize(
    "row", [row for row in TABLE if row.run], ids=lambda row: f"{row.name}-{row.version[0]}"
)
def test_a_row_is_sound(row: Language) -> None:
    assert normalise_language(row.name) == row.name
    assert row.package
    assert row.source.startswith(("main.", "Main."))
    assert ENDINGS["." + row.source.rpartition(".")[2].lower()] == row.name
    for step in steps(row, "code", LIMITS):
        assert not [word for word in step.start["argv"] if "{" in word or "}" in word]


def test_the_languages_of_the_issue_are_in_the_table() -> None:
    assert set(NAMES) == {
        *("python", "javascript", "typescript", "bash", "sql", "c", "cpp", "java", "rust", "go"),
        *("r", "php", "ruby", "perl", "duckdb"),
    }
    assert set(ENDINGS.values()) == set(NAMES) - {"duckdb"}


def test_without_tools_nothing_is_found_and_each_language_says_what_it_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(languages, "PATH", "/nonexistent")
    assert languages.find_languages() == {}
    for name in set(NAMES) - set(BUILT_IN):
        hint = install_hint(name)
        assert hint.startswith(f"{name} needs ")
        assert "apt-get install " in hint or name == "duckdb"


def test_a_language_that_is_a_package_is_there_with_it(tmp_path: Path) -> None:
    assert "duckdb" not in languages.find_languages(tmp_path)
    (tmp_path / "duckdb").mkdir()
    assert "duckdb" in languages.find_languages(tmp_path)


def test_a_tool_outside_what_the_jail_shows_is_not_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bin")
    tool = folder / "rustc"
    tool.write_text("#!/bin/sh\n", encoding="ascii")
    tool.chmod(0o755)
    monkeypatch.setattr(languages, "PATH", str(folder))
    assert languages.find_tool("rustc") is None


def test_a_language_that_nobody_knows_is_named() -> None:
    assert install_hint("cobol").startswith("cobol: no such language")


@pytest.mark.parametrize(
    ("code", "source", "main"),
    [
        ("class A {} public class B { public static void main(String[] a) {} }", "B.java", "B"),
        ("class A {} class C { static void main(String[] a) {} }", "Main.java", "C"),
        ('// class X\nclass A { String s = "class Y"; void main() {} }', "Main.java", "A"),
        ("package x.y;\npublic final class B { void main (String... a) {} }", "B.java", "x.y.B"),
        ("public record P(int x) { public static void main(String[] a) {} }", "P.java", "P"),
        ("nothing", "Main.java", "Main"),
    ],
)
def test_java_is_told_its_file_and_its_main_class(code: str, source: str, main: str) -> None:
    compiles, runs = steps(ROWS["java"], code, LIMITS)
    assert compiles.start["source"] == source
    assert compiles.start["argv"][-1] == f"/work/{source}"
    assert runs.start["argv"][-1] == main
    assert runs.start["source"] is None


def test_a_compiler_has_limits_of_its_own() -> None:
    limits = ExecutionLimits(cpu_s=1, wall_s=1, memory_bytes=64 * MIB)
    compiles, runs = steps(ROWS["cpp"], "", limits)
    assert compiles.limits.memory_bytes > limits.memory_bytes
    assert compiles.limits.wall_s > limits.wall_s
    assert runs.limits == limits


@pytest.mark.parametrize(
    ("status", "stderr", "becomes"),
    [
        (Status.ERROR, "main.cpp:1: error", Status.COMPILE_ERROR),
        (Status.SIGNAL, "internal compiler error", Status.COMPILE_ERROR),
        (Status.WALL_LIMIT, "", Status.WALL_LIMIT),
        (Status.OK, "warning", Status.OK),
    ],
)
def test_how_a_compiler_ends_is_how_the_code_fails(
    status: Status, stderr: str, becomes: Status
) -> None:
    compiles, _ = steps(ROWS["cpp"], "", LIMITS)
    result = ExecutionResult(status, stderr=Output(stderr, len(stderr)))
    assert judge_step(compiles, ROWS["cpp"], result).status is becomes


def test_a_compiler_that_complains_on_stdout_is_heard() -> None:
    compiles, _ = steps(ROWS["cpp"], "", LIMITS)
    result = ExecutionResult(Status.ERROR, stdout=Output("said", 4))
    assert judge_step(compiles, ROWS["cpp"], result).stderr.text == "said"


def test_a_runtime_that_ends_for_want_of_memory_met_its_limit() -> None:
    (step,) = steps(ROWS["javascript"], "", LIMITS)
    stderr = Output("FATAL ERROR: Reached heap limit - JavaScript heap out of memory")
    result = ExecutionResult(Status.SIGNAL, stderr=stderr)
    assert judge_step(step, ROWS["javascript"], result).status is Status.MEMORY_LIMIT
