"""A problem with its tests, and the verdict on a solution."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from codeloop.core.execution import GuestError, Status, TrialLimits


class Oracle(StrEnum):
    """What is accepted besides a value that equals the expected one."""

    EQUAL = "equal"  # nothing
    SAME_SET = "same_set"  # the same items in any order and number
    NOT_NONE = "not_none"  # anything but None, where True is expected
    ANYTHING = "anything"  # whatever comes back
    ROOT = "root"  # a root of the polynomial that is the first argument
    ZERO = "zero"  # 0
    SLANT_SURFACE = "slant_surface"  # a pyramid's surface by its height, not by its slant height
    DIGIT_DISTANCE = "digit_distance"  # digit by digit, with zeros put before the shorter number


@dataclass(frozen=True, slots=True)
class FunctionTests:
    """Inputs (each the arguments of one call) and what the function should return for them.

    What is expected is given, or is what the code of `reference` returns. Floats may be off by
    `atol`, and by 1e-7 of the expected value; where that is 0, it is 1e-6 for floats.
    """

    inputs: tuple[tuple[Any, ...], ...]
    expected: tuple[Any, ...] | None = None
    reference: str = ""
    oracle: Oracle = Oracle.EQUAL
    atol: float = 0.0


@dataclass(frozen=True, slots=True)
class PackedTests:
    """`FunctionTests` that a judge has worked out, in its own compact form: no values, digests."""

    data: bytes
    count: int


@dataclass(frozen=True, slots=True)
class CheckTests:
    """Code with asserts about the function, by its name or as the argument of its own `check`.

    `setup` runs before it in the same namespace: what the tests need of the problem's helpers.
    """

    source: str
    setup: str = ""


@dataclass(frozen=True, slots=True)
class StdioCase:
    """What a program reads, and what it should print for that."""

    stdin: str
    stdout: str


@dataclass(frozen=True, slots=True)
class StdioTests:
    """A program is run once for each case; white space at the ends of lines and text is free.

    If `tolerant`, so are letter case, white space before a line, and 1e-5 of a line that is a
    number.
    """

    cases: tuple[StdioCase, ...]
    tolerant: bool = False


@dataclass(frozen=True, slots=True)
class ScriptTests:
    """Code that can only run in one process with the solution: its verdicts are forgeable."""

    source: str


@dataclass(frozen=True, slots=True)
class ProgramTests:
    """A solution is put between two texts, and the program that they make has to end well.

    What is to be dropped is taken out of the solution. Tests and solution share a process: the
    verdicts are forgeable.
    """

    language: str
    before: str = ""
    after: str = ""
    drop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerTests:
    """The solution is an answer, said and not computed: a value, or arguments of `function`.

    Without `function` (code that defines `f`) the answer is the value that is expected; with it,
    the arguments for which `f` returns that. Nothing expected means that any answer will do.
    """

    expected: str
    function: str = ""


Tests = (
    FunctionTests | PackedTests | CheckTests | StdioTests | ScriptTests | ProgramTests | AnswerTests
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A task with tests. A model may see `visible`; `tests` and then `hidden` decide.

    `preamble` is what the problem gives a solution to start from: imports and helpers, which run
    before it. `reference` is a solution that passes.
    """

    id: str
    prompt: str
    tests: tuple[Tests, ...]
    entry_point: str = ""  # what tests call: a name, or as Solution().method; none for a program
    visible: tuple[Tests, ...] = ()
    limits: TrialLimits = TrialLimits()
    hidden: tuple[Tests, ...] = ()
    preamble: str = ""
    reference: str = ""
    language: str = "python"


class Reason(StrEnum):
    """Why a solution passed or failed."""

    PASSED = "passed"
    WRONG_ANSWER = "wrong_answer"
    EXCEPTION = "exception"
    COMPILE_ERROR = "compile_error"
    UNDEFINED = "undefined"  # it does not define what the tests call
    LIMIT = "limit"  # the verdict's `limit` says which
    DIED = "died"  # its process ended before it had answered: by exit, or by a signal
    COMPUTED = "computed"  # it computes the answer that it should say
    PROTOCOL = "protocol"  # it wrote to the judge's own channel
    UNJUDGED = "unjudged"  # its answers took the tester past a limit


@dataclass(frozen=True, slots=True)
class TraceBlock:
    """Lines of one call that ran without a jump back, and what became of names by their end.

    `lines` are numbers with their source; `values` are names that changed, with short values.
    """

    function: str
    lines: tuple[tuple[int, str], ...]
    values: tuple[tuple[str, str], ...]
    returned: str = ""
    raised: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """What a solution did while one test ran: its first and its last blocks, of `count` in all.

    `whole` is false if it was stopped before it had come to an end.
    """

    blocks: tuple[TraceBlock, ...]
    count: int
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a solution passes, and if not why: the first test that failed, in abridged texts.

    `test` is the assert that failed, where tests are code. `forgeable` says that tests and
    solution shared a process, so that a solution could have faked the verdict. `sets_passed`
    counts the sets of tests, in their order, that passed whole.
    """

    reason: Reason
    test: str = ""
    input: str = ""
    expected: str = ""
    actual: str = ""
    error: GuestError | None = None
    limit: Status | None = None
    forgeable: bool = False
    tests_passed: int = 0
    sets_passed: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    trace: Trace | None = None  # of the test that failed, if it was asked for

    @property
    def passed(self) -> bool:
        return self.reason is Reason.PASSED
