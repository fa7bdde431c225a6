"""A program in another language than Python: the steps it takes, and how each of them ended."""

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from codeloop.core.execution import (
    MIB,
    ExecutionLimits,
    ExecutionResult,
    InputRequested,
    Output,
    OutputChunk,
    Status,
)
from codeloop.sandbox.jail import root, wire
from codeloop.sandbox.languages import Language, find_tool

_COMPILE_CPU_S = 30.0
_COMPILE_WALL_S = 90.0
_COMPILE_MEMORY = 1536 * MIB
_COMPILE_OUTPUT = 4 * MIB

_JAVA_NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
_JAVA_TYPE = re.compile(r"\b(?:class|record|enum|interface)\s+(\w+)")
_JAVA_PUBLIC = re.compile(
    r"\bpublic\s+(?:(?:final|abstract|sealed|strictfp)\s+)*(?:class|record|enum|interface)\s+(\w+)"
)
_JAVA_MAIN = re.compile(r"\bvoid\s+main\s*\(")
_JAVA_PACKAGE = re.compile(r"^\s*package\s+([\w.]+)\s*;", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Step:
    """One process: how it is started, what it may use, and whether it is the compiler."""

    start: wire.Message
    limits: ExecutionLimits
    compiles: bool = False


def steps(row: Language, code: str, limits: ExecutionLimits) -> Iterator[Step]:
    """Yield what has to be run, in order."""
    source, main = _java_names(code) if row.name == "java" else (row.source, "")
    saved: str | None = source
    if row.compile:
        yield _step(row, row.compile, (source, main, saved), _compile_limits(limits), compiles=True)
        saved = None
    yield _step(row, row.run, (source, main, saved), limits)


def sql_step(language: str, limits: ExecutionLimits) -> Step:
    """Return the step that runs statements in the sandbox's own interpreter."""
    return Step({"mode": "sql", "engine": language}, limits)


def judge_step(step: Step, row: Language | None, result: ExecutionResult) -> ExecutionResult:
    """Return a step's result with what is known of its compiler, or of its language."""
    if step.compiles and result.status is Status.OUTPUT_LIMIT:  # so many errors
        return replace(result, status=Status.COMPILE_ERROR)
    if result.status not in {Status.ERROR, Status.SIGNAL}:
        return result
    if row is not None and row.out_of_memory and row.out_of_memory in result.stderr.text:
        return replace(result, status=Status.MEMORY_LIMIT)
    if not step.compiles:
        return result
    said = result.stderr if result.stderr.total_bytes else result.stdout
    return replace(result, status=Status.COMPILE_ERROR, stdout=Output(), stderr=said)


def collect(
    events: Generator[OutputChunk | InputRequested, None, ExecutionResult],
) -> tuple[list[OutputChunk | InputRequested], ExecutionResult]:
    """Run to the end; return what there was to show, and the result."""
    shown: list[OutputChunk | InputRequested] = []
    while True:
        try:
            shown.append(next(events))
        except StopIteration as end:
            result: ExecutionResult = end.value
            return shown, result


def _step(
    row: Language,
    command: tuple[str, ...],
    names: tuple[str, str, str | None],
    limits: ExecutionLimits,
    *,
    compiles: bool = False,
) -> Step:
    source, main, saved = names
    limits = replace(limits, processes=limits.processes + row.threads)
    values = {
        "source": f"{root.WORK}/{source}",
        "main": main,
        "memory_mb": str(max(16, limits.memory_bytes // MIB)),
    }
    words = [word.format(**values) for word in command]
    words[0] = find_tool(words[0]) or words[0]
    start = {
        "mode": "program",
        "argv": words,
        "environment": dict(row.environment),
        "source": saved,
        "address_space": row.address_space,
    }
    return Step(start, limits, compiles)


def _compile_limits(limits: ExecutionLimits) -> ExecutionLimits:
    """Return what a compiler may use: less or more than the program, and the same disk."""
    return replace(
        limits,
        cpu_s=_COMPILE_CPU_S,
        wall_s=_COMPILE_WALL_S,
        memory_bytes=_COMPILE_MEMORY,
        output_stop_bytes=_COMPILE_OUTPUT,
    )


def _java_names(code: str) -> tuple[str, str]:
    """Return the file that javac wants the code in, and the class whose `main` is to run."""
    text = _JAVA_NOISE.sub(" ", code)
    public = _JAVA_PUBLIC.search(text)
    start = _JAVA_MAIN.search(text)
    before = _JAVA_TYPE.findall(text[: start.start()] if start else text)
    main = before[-1] if before else "Main"
    package = _JAVA_PACKAGE.search(text)
    file = public[1] if public else "Main"
    return f"{file}.java", f"{package[1]}.{main}" if package else main
