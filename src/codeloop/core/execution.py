"""What is asked of a run of code, and what came back from it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

KIB = 1024
MIB = 1024 * KIB

StreamName = Literal["stdout", "stderr"]


class Status(StrEnum):
    """How a run ended. One value, so that flags cannot contradict each other."""

    OK = "ok"
    ERROR = "error"  # an uncaught exception or a non-zero exit code
    COMPILE_ERROR = "compile_error"  # the code never started
    CPU_LIMIT = "cpu_limit"
    WALL_LIMIT = "wall_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    PROCESS_LIMIT = "process_limit"
    DISK_LIMIT = "disk_limit"
    SIGNAL = "signal"  # died of a signal that no limit explains
    INTERRUPTED = "interrupted"  # by a person; a session keeps its variables
    UNSUPPORTED = "unsupported"  # no runner for this language here


TIME_LIMITS = frozenset({Status.CPU_LIMIT, Status.WALL_LIMIT})  # of a run that does not end


class Isolation(StrEnum):
    """What stood between the guest and the host, strongest first."""

    NAMESPACES = "namespaces"
    LANDLOCK = "landlock"
    CONTAINER = "container"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ExecutionLimits:
    """Limits of one run. Times in seconds, sizes in bytes; a stream keeps head and tail."""

    cpu_s: float = 30.0
    wall_s: float = 60.0
    memory_bytes: int = 1024 * MIB
    processes: int = 64
    disk_bytes: int = 256 * MIB
    files: int = 8192
    open_files: int = 256
    output_bytes: int = 64 * KIB  # kept of each of stdout and stderr
    output_stop_bytes: int = 64 * MIB  # a run that writes more than this is stopped


@dataclass(frozen=True, slots=True)
class Output:
    """One stream of a run: its text (UTF-8, bad bytes replaced), head and tail if it was long."""

    text: str = ""
    total_bytes: int = 0
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class GuestError:
    """The uncaught exception of a run: class name, message, line of the code (from 1) if known."""

    name: str
    message: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Display:
    """One rich output: MIME type to data, text as it is and binary in base64."""

    parts: tuple[tuple[str, str], ...]

    def text(self) -> str:
        """Return the plain text form, or an empty string."""
        return dict(self.parts).get("text/plain", "")


@dataclass(frozen=True, slots=True)
class OutputChunk:
    """A piece of output as it arrives. Chunks stop at the cap that the result keeps."""

    stream: StreamName
    text: str


@dataclass(frozen=True, slots=True)
class InputRequested:
    """The code called `input(prompt)` and waits for `Session.send_input`."""

    prompt: str


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """What came back from running one piece of code.

    `exit_code` is None in a session that lives on, and when a signal ended the process.
    `peak_memory_bytes` is the largest resident size seen of the run's processes together.
    `state_lost` says that the variables of a session are gone: it was killed and is empty again.
    """

    status: Status
    stdout: Output = Output()
    stderr: Output = Output()
    exit_code: int | None = None
    signal: int | None = None
    error: GuestError | None = None
    displays: tuple[Display, ...] = ()
    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_memory_bytes: int = 0
    isolation: Isolation = Isolation.NAMESPACES
    state_lost: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """A name in a session, as its own code would describe it.

    `shape` is that of an array or a table, and else how many items there are. `value` is a short
    `repr`; `size_bytes` is without what the value refers to. What could not be found in time is
    empty, or 0.
    """

    name: str
    type: str = ""
    value: str = ""
    shape: tuple[int, ...] = ()
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class WorkFile:
    """A regular file of the work directory: its path there, and its last change (Unix time)."""

    path: str
    size_bytes: int
    changed_s: float


@dataclass(frozen=True, slots=True)
class GuestProgram:
    """A program of our own for the jail: modules by name and source; the last has `start()`."""

    modules: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RigPrograms:
    """What a rig runs: a candidate's program, given a solution, and a tester's, given a request."""

    candidate: GuestProgram
    tester: GuestProgram


@dataclass(frozen=True, slots=True)
class TrialLimits:
    """Limits of a candidate in one trial: in all, and for each step that its tester waits for.

    Processor time decides. The wall times are for a candidate that sleeps: while it runs, or waits
    for a processor, they do not count, up to twenty times the longer of both.
    """

    cpu_s: float = 60.0
    wall_s: float = 600.0
    step_cpu_s: float = 4.0
    step_wall_s: float = 20.0


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What came of a trial: the tester's report, and how both sides ended.

    The candidate's status is `ok` if it lived until its tester was done, or left with exit code 0.
    `report` is None if the tester did not come to an end, which its status then explains.
    """

    report: bytes | None
    candidate: Status
    tester: Status = Status.OK
    exit_code: int | None = None
    signal: int | None = None
    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_memory_bytes: int = 0
