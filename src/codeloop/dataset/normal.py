"""Texts of runs without what no two runs share, and whether code reads such a thing at all."""

import re
from dataclasses import replace

from codeloop.core.execution import TIME_LIMITS, Display, ExecutionResult, GuestError, Status
from codeloop.core.problem import Verdict

_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")
_TEMPORARY = re.compile(r"(/tmp/|\btmp)[\w.-]+")
_UUID = re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b")
_MOMENT = re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?|\b\d\d:\d\d:\d\d\b")
_DURATION = re.compile(
    r"\b\d+(?:\.\d+)?(?:e-?\d+)?(?=\s*(?:s|ms|us|µs|ns|sec|secs|seconds?|milliseconds?)\b)"
)
_CLOCK = re.compile(r"\b(?:time|timeit|datetime|perf_counter|monotonic|date|calendar)\b")
_TMP = re.compile(r"\btempfile|mkstemp|mkdtemp\b")
# What makes a program give something else each time. A seed may tame it, which runs show.
_CHANCE = re.compile(
    r"\b(?:random|secrets|uuid|urandom|getpid|shuffle|choice|sample|randint|rand|randn|threading|"
    r"multiprocessing|asyncio|concurrent|psutil|hash|id|getrandom|default_rng|set|frozenset)\b|\{[^:}]*,"
)


def is_uncertain(code: str) -> bool:
    """Return whether code reads the clock, chance, or an order that differs between processes."""
    return bool(_CLOCK.search(code) or _CHANCE.search(code))


def normal_text(text: str, code: str) -> str:
    """Return an output without addresses, and without times, ids and paths that the code made.

    A number that the code did not take from a clock is never touched.
    """
    text = _ADDRESS.sub("0x0", text)
    if _TMP.search(code):
        text = _TEMPORARY.sub("/tmp/0", text)  # noqa: S108  a text, no file
    if "uuid" in code:
        text = _UUID.sub("uuid", text)
    if _CLOCK.search(code):
        text = _DURATION.sub("0", _MOMENT.sub("moment", text))
    return text.replace("\r\n", "\n")


def normal_result(result: ExecutionResult, code: str) -> ExecutionResult:
    """Return a result as it counts for equality: without its times, memory and such texts.

    Which of the limits of time ends a run that does not end depends on what else the machine does.
    """
    if result.status in TIME_LIMITS:
        result = replace(result, status=Status.WALL_LIMIT, exit_code=None, signal=None)
    return replace(
        result,
        stdout=replace(result.stdout, text=normal_text(result.stdout.text, code), total_bytes=0),
        stderr=replace(result.stderr, text=normal_text(result.stderr.text, code), total_bytes=0),
        error=_normal_error(result.error, code),
        displays=tuple(_normal_display(each, code) for each in result.displays),
        cpu_s=0.0,
        wall_s=0.0,
        peak_memory_bytes=0,
        isolation=ExecutionResult(Status.OK).isolation,
    )


def normal_verdict(verdict: Verdict, code: str) -> Verdict:
    """Return a verdict as it counts for equality."""
    return replace(
        verdict,
        limit=Status.WALL_LIMIT if verdict.limit in TIME_LIMITS else verdict.limit,
        input=normal_text(verdict.input, code),
        actual=normal_text(verdict.actual, code),
        error=_normal_error(verdict.error, code),
        cpu_s=0.0,
        wall_s=0.0,
    )


def _normal_error(error: GuestError | None, code: str) -> GuestError | None:
    return error and replace(error, message=normal_text(error.message, code))


def _normal_display(display: Display, code: str) -> Display:
    """Return a display; of what is no text only the kind counts, since pictures hold their time."""
    return Display(
        tuple(
            (kind, normal_text(data, code) if kind.startswith("text/") else "")
            for kind, data in display.parts
        )
    )
