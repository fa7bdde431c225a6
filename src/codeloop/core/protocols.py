"""All that the loop knows of the world: a model, a session, a critic."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from codeloop.core.dialogue import Dialogue, Feedback, Finish, Message, Turn, Usage
from codeloop.core.execution import (
    ExecutionLimits,
    ExecutionResult,
    InputRequested,
    OutputChunk,
    TrialLimits,
    TrialResult,
)
from codeloop.core.problem import Verdict


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a model is to write. What is None is not sent, so that the model's own default holds."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    top_logprobs: int | None = None  # with every token, the best n alternatives


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One written token, its natural log probability, and the best alternatives."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """The end of a model call: the whole text, why it ended, and what it took."""

    text: str
    finish: Finish = Finish.STOP
    usage: Usage = Usage()
    logprobs: tuple[TokenLogprob, ...] = ()


class Model(Protocol):
    """Something that continues messages."""

    @property
    def name(self) -> str: ...

    @property
    def context_tokens(self) -> int | None:
        """The most tokens that messages and reply may have together; None if not known."""

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Return how many tokens the messages take: exactly, or an estimate from above."""

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        timeout_s: float | None = None,
    ) -> Generator[str | Reply, None, None]:
        """Yield the pieces of the reply as they come, then one `Reply` that holds it whole.

        `timeout_s` bounds the whole call, retries included. Closing the iterator cancels the
        call. Retries happen only before the first piece was yielded.

        Raises:
            ContextOverflowError: the messages do not fit.
            ModelError: the call failed for good.
        """

    def close(self) -> None: ...


class Session(Protocol):
    """A place where code runs; a stateful one keeps its variables from run to run."""

    @property
    def languages(self) -> frozenset[str]:
        """The languages that run here, by their normalised names."""

    def run(
        self, code: str, *, language: str = "python", limits: ExecutionLimits | None = None
    ) -> Generator[OutputChunk | InputRequested | ExecutionResult, None, None]:
        """Run the code; yield its output as it comes, then one `ExecutionResult`.

        `limits` replaces the session's own limits for this run. Closing the iterator early
        kills the run.

        Raises:
            SandboxError: the sandbox broke; the session is unusable until `restart`.
        """

    def interrupt(self) -> bool:
        """Interrupt the run in progress; return whether there is one.

        It may be called from any thread or signal handler.
        """

    def send_input(self, line: str | None) -> None:
        """Answer an `InputRequested`; None means end of input."""

    def restart(self) -> None:
        """Throw all state away and start anew."""

    def close(self) -> None: ...


class Rig(Protocol):
    """Where solutions are tried: jails in which nothing of one trial reaches the next."""

    def trial(self, solution: bytes, request: bytes, limits: TrialLimits) -> TrialResult:
        """Join a new candidate and the rig's tester by a socket; return when the tester is done.

        The candidate's program is given `solution` and its end of the socket, the tester
        `request` and the other. The tester lives on from trial to trial.

        Raises:
            SandboxError: the rig broke, or the tester failed; the next trial starts it anew.
        """

    def run(
        self,
        code: str,
        *,
        language: str = "python",
        limits: ExecutionLimits | None = None,
        stdin: bytes = b"",
    ) -> Generator[OutputChunk | InputRequested | ExecutionResult, None, None]:
        """Run a whole program by itself, as a one-shot `Session` does, with an input.

        Raises:
            SandboxError: the sandbox broke.
        """

    def close(self) -> None: ...


class Critic(Protocol):
    """Someone who looks at a turn and may have something to say about it."""

    def review(self, dialogue: Dialogue, turn: Turn) -> Feedback | Verdict | None:
        """Return feedback that asks for another turn, or None if the turn may stand.

        A judge returns its verdict: it joins the turn's record, and asks for another turn unless
        the solution passed. `dialogue` ends just before `turn`.
        """
