"""`POST /run_code`: a program in SandboxFusion's words, and how it ended in the same."""

from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException

from codeloop.core.execution import MIB, ExecutionLimits, ExecutionResult, Status
from codeloop.sandbox import Program
from codeloop.server.node.fusion.fields import take, take_files, take_seconds

LANGUAGES = {
    "python": "python",
    "cpp": "cpp",
    "nodejs": "javascript",
    "go": "go",
    "java": "java",
    "php": "php",
    "bash": "bash",
    "typescript": "typescript",
    "sql": "sql",
    "rust": "rust",
    "R": "r",
    "perl": "perl",
    "ruby": "ruby",
}
# Known there, and not run here: they need a toolchain, a test runner or a device that we lack.
_OTHERS = frozenset(
    {
        *("go_test", "csharp", "cuda", "lua", "D_ut", "scala", "julia", "pytest", "junit"),
        *("kotlin_script", "jest", "verilog", "python_gpu", "lean", "swift", "racket"),
    }
)
COMPILED = frozenset({"cpp", "go", "java", "rust"})  # those with a compile_result
_OUTPUT_BYTES = MIB  # of a stream, as there
_DEFAULT_S = 10.0
_KILLED = -9


@dataclass(frozen=True, slots=True)
class Request:
    """A program, and whether its answer has a part about the compiler."""

    program: Program
    compiled: bool


def parse_run(form: dict[str, Any]) -> Request:
    """Return what a request asks for.

    Raises:
        HTTPException: a field does not fit, or files are to be fetched.
    """
    name = take(form, "language", str)
    if name not in LANGUAGES and name not in _OTHERS:
        raise HTTPException(422, f"language: {name!r:.100} is not known")
    if take(form, "fetch_files", list, []):
        raise HTTPException(422, "fetch_files: this node hands no files back")
    take_seconds(form, "compile_timeout", _DEFAULT_S)  # the sandbox's own is in force
    seconds = take_seconds(form, "run_timeout", _DEFAULT_S)
    program = Program(
        take(form, "code", str),
        LANGUAGES.get(name, name),
        take(form, "stdin", str, "").encode("utf-8", "surrogatepass"),
        take_files(form, "files"),
        limits_for(seconds, take(form, "memory_limit_MB", int, -1)),
    )
    return Request(program, name in COMPILED)


def limits_for(seconds: float, memory_mb: int = -1) -> ExecutionLimits:
    """Return the limits that a time limit stands for; without a memory limit our own holds."""
    if memory_mb > 64 * 1024:
        raise HTTPException(422, "memory_limit_MB: too much")
    default = ExecutionLimits()
    memory_bytes = memory_mb * MIB if memory_mb > 0 else default.memory_bytes
    return ExecutionLimits(
        cpu_s=seconds, wall_s=seconds, memory_bytes=memory_bytes, output_bytes=_OUTPUT_BYTES
    )


def describe(result: ExecutionResult, *, compiled: bool) -> dict[str, Any]:
    """Return the answer for a run.

    A limit other than of time is a process that was killed; `message` names it.
    """
    if result.status is Status.UNSUPPORTED:
        return failure(result.stderr.text)
    compile_result = None
    run_result: dict[str, Any] | None = _command(result)
    if compiled:
        compile_result = _command(ExecutionResult(Status.OK, exit_code=0))
        if result.status is Status.COMPILE_ERROR:
            compile_result, run_result = run_result, None
    well = result.status is Status.OK
    return {
        "status": "Success" if well else "Failed",
        "message": "" if well else result.status.value,
        "compile_result": compile_result,
        "run_result": run_result,
        "executor_pod_name": None,
        "files": {},
    }


def failure(message: str) -> dict[str, Any]:
    """Return the answer that says nothing about the program, but that there is no result."""
    return {
        "status": "SandboxError",
        "message": message,
        "compile_result": None,
        "run_result": None,
        "executor_pod_name": None,
        "files": {},
    }


def _command(result: ExecutionResult) -> dict[str, Any]:
    in_time = result.status not in {Status.CPU_LIMIT, Status.WALL_LIMIT}
    return {
        "status": "Finished" if in_time else "TimeLimitExceeded",
        "execution_time": result.wall_s,
        "return_code": _return_code(result) if in_time else None,
        "stdout": result.stdout.text,
        "stderr": result.stderr.text,
    }


def _return_code(result: ExecutionResult) -> int:
    """Return what the process would have returned to its parent in Python; not 0 unless well."""
    if result.status is Status.OK:
        return 0
    if result.signal is not None:
        return -result.signal
    if result.status in {Status.ERROR, Status.COMPILE_ERROR}:
        return result.exit_code or 1
    return result.exit_code or _KILLED
