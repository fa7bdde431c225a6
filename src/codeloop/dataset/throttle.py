"""How many calls an endpoint is asked at once, and how fast: found out as it answers."""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from codeloop.core.dialogue import Message
from codeloop.core.errors import ModelError, UnavailableError
from codeloop.core.protocols import Model, Reply, Sampling

RAMP_FROM, RAMP_S = 8, 0.02  # in flight at first; doubled so often, while nothing was refused
FEWER = 0.7  # of what is in flight, after a failure
SLOWER = 0.92  # of the pace, after a refusal
MUCH_SLOWER = 0.7  # after one that soon follows another
FASTER, CALM_S = 0.01, 10.0  # of the pace is added in a second; more, the longer all goes well
SEARCHING = 0.5  # of the pace is added in a second, between a first refusal at once and the second
BEHIND_S = 0.05  # so much of the pace may be caught up with
WINDOW_S, SHORTEST_WINDOW_S = 1.0, 0.5  # over which the pace that an endpoint took is measured
PATIENT_S = 2.0  # an endpoint that asks for more is left in peace by all calls
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 30.0
TRIES = 8
REPLY_TOKENS = 512  # taken for a reply whose length is not limited
MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a person knows an endpoint to take: calls in flight, requests and tokens a minute."""

    in_flight: int = 64
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as a throttle has it: a test hands it another."""

    now: Callable[[], float] = time.monotonic


class Throttle:
    """The gate before one endpoint; threads share it.

    What is in flight goes down after a failure, the pace after a refusal, once for all calls that
    were under way: both by a factor, and up again little by little (AIMD; Chiu and Jain, 1989).
    Before the first refusal the pace has no limit; then it is about what the endpoint took.
    """

    def __init__(self, allowance: Allowance = Allowance(), clock: Clock = Clock()) -> None:
        self._allowance = allowance
        self._now = clock.now
        self._head = threading.Lock()  # of the line of those who wait: it alone looks at the clock
        self._state = threading.Condition()
        self._in_flight = 0
        self._limit = float(min(RAMP_FROM, allowance.in_flight))
        self._ramping = True
        self._opened: float | None = None  # when the first call came
        self._pace: float | None = None  # calls a second
        self._searching = True
        self._paced = 0.0  # when the pace was last worked out
        self._next = 0.0  # when the next call may go
        self._tokens_next = 0.0
        self._held_until = 0.0
        self._cut = 0.0  # when there was last a failure that counted
        self._taken: deque[float] = deque(maxlen=4096)  # when calls went that were not refused
        self._closed = threading.Event()
        self.refused = 0
        self.failed = 0

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def counts_tokens(self) -> bool:
        """Whether `enter` has to know how many tokens a call takes."""
        return self._allowance.tokens_per_minute is not None

    def rest(self, seconds: float) -> None:
        """Wait so long, or until the throttle is closed."""
        self._closed.wait(seconds)

    def enter(self, tokens: int, timeout_s: float | None = None) -> float:
        """Wait until a call of about so many tokens may go; return the time of that.

        Raises:
            UnavailableError: there is no place within the time.
            ModelError: the throttle is closed.
        """
        end = None if timeout_s is None else self._now() + timeout_s
        if not self._head.acquire(timeout=-1 if timeout_s is None else timeout_s):
            raise UnavailableError(_LATE)
        try:
            with self._state:
                while True:
                    if self._closed.is_set():
                        msg = "closed while a call waited for its turn"
                        raise ModelError(msg)
                    now = self._now()
                    wait_s = self._wait_s(now)
                    if wait_s <= 0:
                        return self._go(now, tokens)
                    if end is not None and now >= end:
                        raise UnavailableError(_LATE)
                    self._state.wait(wait_s if end is None else min(wait_s, end - now))
        finally:
            self._head.release()

    def leave(self) -> None:
        """Say that a call has ended, however it did."""
        with self._state:
            self._in_flight -= 1
            self._state.notify()

    def succeeded(self, tokens: int, used: int) -> None:
        """Say that a call went well: it was thought to take `tokens` and took `used`."""
        with self._state:
            if not self._ramping:
                self._limit = min(self._allowance.in_flight, self._limit + 1 / self._limit)
            if self._allowance.tokens_per_minute is not None:
                self._tokens_next += (used - tokens) * MINUTE_S / self._allowance.tokens_per_minute

    def failed_at(self, went: float, error: UnavailableError) -> None:
        """Say that a call which went at that time failed."""
        with self._state:
            now = self._now()
            self.failed += 1
            if error.too_many:
                self.refused += 1
                if went in self._taken:
                    self._taken.remove(went)
            if error.after_s is not None and error.after_s > PATIENT_S:
                self._held_until = max(self._held_until, now + error.after_s)
            if went <= self._cut:  # it was under way when the last one was counted
                return
            if error.too_many:
                self._slow_down(now)
            else:
                self._ramping = False
                self._limit = max(1.0, self._limit * FEWER)
            self._cut = now

    def close(self) -> None:
        """Let nobody in any more."""
        with self._state:
            self._closed.set()
            self._state.notify()

    def _wait_s(self, now: float) -> float:
        """Return how long the next call has to wait; whoever leaves wakes it before."""
        if self._opened is None:
            self._opened = now
        if self._ramping:
            doublings = min(16.0, (now - self._opened) / RAMP_S)
            self._limit = min(self._allowance.in_flight, RAMP_FROM * 2.0 ** int(doublings))
        if self._in_flight >= int(self._limit):
            return RAMP_S if self._ramping and self._limit < self._allowance.in_flight else 1.0
        return max(self._held_until, self._next, self._tokens_next) - now

    def _go(self, now: float, tokens: int) -> float:
        self._in_flight += 1
        self._taken.append(now)
        if self._pace is not None:
            calm = ((now - self._cut) / CALM_S) ** 2
            growth = SEARCHING if self._searching else FASTER * (1 + calm)
            self._pace *= 1 + growth * min(1.0, now - self._paced)
            self._paced = now
        asked = self._allowance.requests_per_minute
        paces = [each for each in (self._pace, asked and asked / MINUTE_S) if each]
        if paces:
            self._next = max(self._next, now - BEHIND_S) + 1 / min(paces)
        if self._allowance.tokens_per_minute is not None:
            share = tokens * MINUTE_S / self._allowance.tokens_per_minute
            self._tokens_next = max(self._tokens_next, now) + share
        return now

    def _slow_down(self, now: float) -> None:
        window_s = now - max(self._cut, now - WINDOW_S, self._opened or 0.0)
        taken = sum(1 for went in self._taken if went >= now - window_s)
        pace = self._pace
        again_soon = pace is not None and window_s < SHORTEST_WINDOW_S
        self._searching = window_s < SHORTEST_WINDOW_S and self._searching
        measured = taken / max(window_s, 0.05)
        if pace is None:
            pace = measured
        elif not again_soon:
            pace = min(pace, measured)
        self._pace = max(0.1, (MUCH_SLOWER if again_soon else SLOWER) * pace)
        self._paced = now
        self._next = max(self._next, now + 1 / self._pace)


class ThrottledModel:
    """Lets calls through a throttle to a model that tries each once, and tries again itself.

    A call that waits to be tried again holds no place. After the first piece of a reply there is
    no other try. `try_s` bounds each try, beside the time of the whole call.
    """

    def __init__(
        self,
        model: Model,
        throttle: Throttle,
        *,
        tries: int = TRIES,
        try_s: float | None = None,
        clock: Clock = Clock(),
    ) -> None:
        self._model = model
        self._throttle = throttle
        self._tries = tries
        self._try_s = try_s
        self._now = clock.now
        self.name = model.name
        self.context_tokens = model.context_tokens

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self._model.count_tokens(messages)

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        timeout_s: float | None = None,
    ) -> Generator[str | Reply, None, None]:
        end = None if timeout_s is None else self._now() + timeout_s
        tokens = self._estimate(messages, sampling)
        tries = 0
        while True:
            tries += 1
            left_s = None if end is None else max(0.0, end - self._now())
            went = self._throttle.enter(tokens, left_s)
            begun = False
            try:
                limit_s = self._limit_s(end)
                for part in self._model.stream(messages, sampling, timeout_s=limit_s):
                    if isinstance(part, Reply):
                        self._throttle.succeeded(tokens, part.usage.total_tokens)
                    begun = True
                    yield part
            except UnavailableError as error:
                self._throttle.failed_at(went, error)
                wait_s = _wait_s(error, tries)
                late = end is not None and self._now() + wait_s >= end
                if begun or late or tries >= self._tries:
                    raise
            else:
                return
            finally:
                self._throttle.leave()
            self._throttle.rest(wait_s)

    def close(self) -> None:
        self._throttle.close()
        self._model.close()

    def _limit_s(self, end: float | None) -> float | None:
        """Return how long a try that begins now may take."""
        limits = [] if self._try_s is None else [self._try_s]
        if end is not None:
            limits.append(max(0.0, end - self._now()))
        return min(limits, default=None)

    def _estimate(self, messages: Sequence[Message], sampling: Sampling) -> int:
        if not self._throttle.counts_tokens:
            return 0
        return self._model.count_tokens(messages) + (sampling.max_tokens or REPLY_TOKENS)


_LATE = "no place among the calls in flight within the time of the call"


def _wait_s(error: UnavailableError, tries: int) -> float:
    own = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (tries - 1))
    return own if error.after_s is None else max(error.after_s, 0.0)
