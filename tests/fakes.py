"""A session that says what it was told to say, for tests of the loop."""

from collections.abc import Generator
from dataclasses import dataclass, field

from codeloop.core.execution import (
    ExecutionLimits,
    ExecutionResult,
    GuestError,
    InputRequested,
    Output,
    OutputChunk,
    Status,
)


def ok(text: str = "") -> ExecutionResult:
    return ExecutionResult(Status.OK, Output(text, len(text)))


def failed(name: str, message: str = "") -> ExecutionResult:
    text = f"Traceback ...\n{name}: {message}\n"
    return ExecutionResult(
        Status.ERROR, stderr=Output(text, len(text)), error=GuestError(name, message)
    )


@dataclass
class ScriptedSession:
    """Gives its results in order, one a run; an exception among them is raised."""

    results: list[ExecutionResult | Exception]
    languages: frozenset[str] = frozenset({"python"})
    codes: list[str] = field(default_factory=list)
    limits: list[ExecutionLimits | None] = field(default_factory=list)
    restarts: int = 0
    closed_runs: int = 0

    def run(
        self, code: str, *, language: str = "python", limits: ExecutionLimits | None = None
    ) -> Generator[OutputChunk | InputRequested | ExecutionResult, None, None]:
        self.codes.append(code)
        self.limits.append(limits)
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        try:
            if result.stdout.text:
                yield OutputChunk("stdout", result.stdout.text)
            yield result
        finally:
            self.closed_runs += 1

    def interrupt(self) -> bool:
        return False

    def send_input(self, line: str | None) -> None: ...

    def restart(self) -> None:
        self.restarts += 1

    def close(self) -> None: ...
