"""A model behind an OpenAI-compatible endpoint: Chat Completions, streamed or whole."""

import json
import random
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from codeloop.core.dialogue import Message
from codeloop.core.protocols import Reply, Sampling
from codeloop.models.endpoint import Endpoint
from codeloop.models.estimate import estimate_tokens
from codeloop.models.failures import (
    CallError,
    Wording,
    http_failure,
    network_failure,
    stream_failure,
)
from codeloop.models.sse import EventParser
from codeloop.models.transport import Deadline, Exchange, NotHttpError, Transport
from codeloop.models.wire import ReplyBuilder, request_body

OK = 200
TIMEOUT_S = 600.0
TRIES = 8
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
USAGE_S = 5.0  # for what comes after the last piece: token counts, the end
ANSWER_BYTES = 64 << 20
ERROR_BYTES = 64 << 10
BROKEN = (OSError, EOFError, NotHttpError)  # how a connection fails
DROPPABLE = ("stream_options", "max_tokens")  # what some servers refuse to take


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often a call is tried; the clock and the waiting are passed in."""

    timeout_s: float = TIMEOUT_S
    tries: int = TRIES
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random  # 0 to 1

    def wait_s(self, failed: int) -> float:
        """Return how long to wait after so many failed tries: doubling, and spread by half."""
        longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (failed - 1))
        return longest * (0.5 + self.jitter() / 2)


class OpenAIModel:
    """A model behind an endpoint; threads may share it.

    `context_tokens` is what the caller knows of the model; it is not asked for. A reply that is
    not `streamed` comes in one piece: less work for both sides where nobody reads along.
    """

    def __init__(
        self,
        name: str,
        endpoint: Endpoint,
        *,
        context_tokens: int | None = None,
        patience: Patience | None = None,
        streamed: bool = True,
    ) -> None:
        self._name = name
        self._endpoint = endpoint
        self._context_tokens = context_tokens
        self._patience = patience or Patience()
        self._streamed = streamed
        self._wording = Wording(endpoint.describe(name), endpoint.api_key)
        self._without: frozenset[str] = frozenset()
        accepted = "text/event-stream" if streamed else "application/json"
        headers = {"Content-Type": "application/json", "Accept": accepted}
        headers |= {"Accept-Encoding": "identity", "User-Agent": "codeloop"}
        if endpoint.api_key:
            headers["Authorization"] = f"Bearer {endpoint.api_key}"
        self._transport = Transport(endpoint.address, headers)

    @property
    def name(self) -> str:
        return self._name

    @property
    def context_tokens(self) -> int | None:
        return self._context_tokens

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Return an estimate from above; see `estimate`."""
        return estimate_tokens(messages)

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        timeout_s: float | None = None,
    ) -> Generator[str | Reply, None, None]:
        patience = self._patience
        limit_s = patience.timeout_s if timeout_s is None else timeout_s
        deadline = Deadline(patience.clock() + limit_s, patience.clock)
        failed = 0
        while True:
            builder = ReplyBuilder()
            try:
                yield from self._try(messages, sampling, builder, deadline, limit_s)
            except CallError as failure:
                failed += 1
                if builder.texts or failed >= self._tries(failure) or self._transport.closed:
                    raise failure.error from failure.__cause__
                self._wait(failure, failed, deadline)
            else:
                return

    def fetch(self, path: str, body: dict[str, Any] | None = None, *, timeout_s: float) -> Any:
        """Return the JSON that the endpoint answers at a path beside the chat; tried once.

        Raises:
            ModelError: it does not.
        """
        deadline = Deadline(self._patience.clock() + timeout_s, self._patience.clock)
        data = b"" if body is None else json.dumps(body).encode()
        method = "GET" if body is None else "POST"
        with self._worded(timeout_s), closing(self._open(method, path, data, deadline)) as exchange:
            return json.loads(_read_all(exchange, ANSWER_BYTES))

    def relay(self, body: Mapping[str, Any], *, timeout_s: float) -> Generator[Any, None, None]:
        """Pass a request of Chat Completions on as it is; yield what is answered, as JSON values.

        Those are the chunks of a stream, or the one whole answer. It is tried once.

        Raises:
            ModelError: there is no answer, or it breaks off.
        """
        deadline = Deadline(self._patience.clock() + timeout_s, self._patience.clock)
        data = json.dumps({**body, "model": self._name}).encode()
        with (
            self._worded(timeout_s),
            closing(self._open("POST", "/chat/completions", data, deadline)) as exchange,
        ):
            kind = exchange.headers.get("content-type", "")
            if not kind.startswith("text/event-stream"):
                yield json.loads(_read_all(exchange, ANSWER_BYTES))
                return
            for event in self._events(exchange):
                if event == b"[DONE]":
                    return
                yield json.loads(event)

    @contextmanager
    def _worded(self, timeout_s: float) -> Iterator[None]:
        """Tell what goes wrong in a call that is tried once as a `ModelError`."""
        try:
            yield
        except CallError as failure:
            raise failure.error from failure.__cause__
        except BROKEN as error:
            raise network_failure(error, self._wording, timeout_s).error from error
        except ValueError as error:
            say = "its answer is no JSON"
            raise self._wording.error(say) from error

    def close(self) -> None:
        self._transport.close()

    def _tries(self, failure: CallError) -> int:
        return min(failure.tries, self._patience.tries)

    def _wait(self, failure: CallError, failed: int, deadline: Deadline) -> None:
        wait_s = self._patience.wait_s(failed)
        if failure.after_s is not None:
            wait_s = max(failure.after_s, wait_s)
        if wait_s >= deadline.at - deadline.clock():
            msg = f"{failure.error} (after {failed} tries; no time is left for another)"
            raise type(failure.error)(msg) from failure.__cause__
        self._patience.sleep(wait_s)

    def _try(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        builder: ReplyBuilder,
        deadline: Deadline,
        limit_s: float,
    ) -> Iterator[str | Reply]:
        """Yield the reply of one try.

        Raises:
            CallError: it failed.
        """
        try:
            with closing(self._ask(messages, sampling, deadline)) as exchange:
                yield from self._pieces(exchange, builder)
                exchange.drain()
        except BROKEN as error:
            if builder.finish is None or self._transport.closed:
                raise self._broken(error, builder, limit_s) from error
        yield builder.reply(messages)

    def _broken(self, error: Exception, builder: ReplyBuilder, limit_s: float) -> CallError:
        if self._transport.closed:
            return CallError(self._wording.error("closed while a call was under way"))
        if not builder.texts:
            return network_failure(error, self._wording, limit_s)
        say = "the time was up" if isinstance(error, TimeoutError) else "the connection broke"
        return CallError(self._wording.unavailable(f"{say} in the middle of the reply"))

    def _ask(self, messages: Sequence[Message], sampling: Sampling, deadline: Deadline) -> Exchange:
        """Send the request, once more without a parameter that the endpoint does not know."""
        path = "/chat/completions"
        for _ in DROPPABLE:
            body = self._body(messages, sampling)
            try:
                return self._open("POST", path, body, deadline)
            except CallError as failure:
                refused = [name for name in DROPPABLE if self._refuses(name, failure)]
                if not refused:
                    raise
                self._without |= {refused[0]}
        return self._open("POST", path, self._body(messages, sampling), deadline)

    def _body(self, messages: Sequence[Message], sampling: Sampling) -> bytes:
        return request_body(
            self._name, messages, sampling, without=self._without, streamed=self._streamed
        )

    def _refuses(self, parameter: str, failure: CallError) -> bool:
        text = str(failure.error).removeprefix(self._wording.who)
        named = parameter in text and text.startswith((": 400", ": 422"))
        if parameter == "max_tokens":
            named = named and "max_completion_tokens" in text
        return named and parameter not in self._without

    def _open(self, method: str, path: str, body: bytes, deadline: Deadline) -> Exchange:
        exchange = self._transport.request(method, self._endpoint.path + path, body, deadline)
        if exchange.status == OK:
            return exchange
        with closing(exchange):
            answer = _read_all(exchange, ERROR_BYTES)
        raise http_failure(
            exchange.status, exchange.headers, answer, self._wording, tries=self._patience.tries
        )

    def _pieces(self, exchange: Exchange, builder: ReplyBuilder) -> Iterator[str]:
        """Yield the pieces of text of an answer, streamed or not."""
        if not exchange.headers.get("content-type", "").startswith("text/event-stream"):
            yield from self._whole(exchange, builder)
            return
        for event in self._events(exchange):
            if event == b"[DONE]":
                return
            text = self._chunk(event, builder)
            if text:
                yield text
            if builder.finish is not None:
                exchange.hurry(USAGE_S)
        if builder.finish is None:
            say = "the connection ended in the middle of the reply"
            raise CallError(self._wording.unavailable(say), tries=self._patience.tries)

    def _events(self, exchange: Exchange) -> Iterator[bytes]:
        parser = EventParser()
        size = 0
        while data := exchange.read():
            size += len(data)
            if size > ANSWER_BYTES:
                say = f"the reply has more than {ANSWER_BYTES} bytes"
                raise CallError(self._wording.error(say))
            yield from parser.feed(data)
        yield from parser.end()

    def _chunk(self, event: bytes, builder: ReplyBuilder) -> str:
        try:
            chunk = json.loads(event.decode("utf-8", "replace"))
            if isinstance(chunk, dict) and chunk.get("error"):
                raise stream_failure(chunk, self._wording, tries=self._patience.tries)
            return builder.add(chunk)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            say = f"the stream holds what is no chat chunk: {event[:80]!r}"
            raise CallError(self._wording.unavailable(say)) from error  # a cut one, perhaps

    def _whole(self, exchange: Exchange, builder: ReplyBuilder) -> Iterator[str]:
        """Take an answer that is not a stream: one JSON object, or not for us at all."""
        body = _read_all(exchange, ANSWER_BYTES).strip()
        if body.startswith((b"data:", b":", b"event:")):  # a stream under a wrong name
            parser = EventParser()
            for event in [*parser.feed(body), *parser.end()]:
                if event != b"[DONE]" and (text := self._chunk(event, builder)):
                    yield text
            return
        if body.startswith(b"{"):
            if text := self._chunk(body, builder):
                yield text
            if builder.finish is not None:
                return
        kind = "a web page" if body.startswith(b"<") else f"{body[:40]!r}"
        say = f"it answers with {kind}, not with a chat completion: check the base URL (.../v1)"
        raise CallError(self._wording.error(say))


def _read_all(exchange: Exchange, limit_bytes: int) -> bytes:
    parts = []
    size = 0
    while size < limit_bytes and (data := exchange.read()):
        parts.append(data)
        size += len(data)
    return b"".join(parts)
