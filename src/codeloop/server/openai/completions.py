"""Chat completions: `NAME` is a model as it is, `NAME+run` the whole loop with its outputs."""

import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from codeloop.core.dialogue import Finish, Message, Role, Usage
from codeloop.core.errors import CodeloopError
from codeloop.core.events import DialogueDone, ExecutionDone, TextDelta
from codeloop.core.execution import InputRequested
from codeloop.core.protocols import Model, Reply, Sampling
from codeloop.loop.critics import ExecutionCritic
from codeloop.loop.refine import refine
from codeloop.models.openai import OpenAIModel
from codeloop.server.chats.desk import Parts
from codeloop.server.chats.rooms import LazySession, RoomSession
from codeloop.server.models import StoppableModel
from codeloop.server.openai.containers import KILL_AFTER_S
from codeloop.server.openai.history import History, content_text, told_result
from codeloop.server.openai.running import Running, Said
from codeloop.server.openai.visits import Visits, key_of
from codeloop.server.refusals import RefusalError

LOOP = "+run"
_RELAY_S = 600.0
# what only an endpoint can do: passed through to one as it is
_RELAYED = frozenset(
    {"tools", "functions", "response_format", "logit_bias", "logprobs", "n", "modalities", "audio"}
    | {"presence_penalty", "frequency_penalty", "reasoning_effort", "prediction"}
)
_FINISHES = {
    Finish.STOP: "stop",
    Finish.LENGTH: "length",
    Finish.FILTER: "content_filter",
    Finish.REPEATING: "stop",
    Finish.CANCELLED: "stop",
}


@dataclass(frozen=True, slots=True)
class Completion:
    """One request: its name, the model, what was said so far, how it is to be written."""

    id: str
    created: int
    model: str
    user: int
    body: Mapping[str, Any]

    @property
    def streamed(self) -> bool:
        return self.body.get("stream") is True

    @property
    def tells_usage(self) -> bool:
        options = self.body.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True

    def said(self) -> list[tuple[str, str]]:
        """Return who says what.

        Raises:
            RefusalError: it is no list of messages that are texts.
        """
        messages = self.body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise RefusalError(400, "messages: a list of messages is wanted")
        said = []
        for each in messages:
            if not isinstance(each, dict) or not isinstance(each.get("role"), str):
                raise RefusalError(400, "messages: each has a role and a content")
            said.append((each["role"], content_text(each.get("content"))))
        return said

    def chunk(self, delta: dict[str, Any], finish: str | None = None) -> Said:
        """Return a piece of the answer as it is streamed."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def whole(self, text: str, finish: str, usage: Usage) -> Said:
        """Return the whole answer."""
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        told = {"choices": [choice], "usage": usage_of(usage)}
        return {**self._head("chat.completion"), **told}

    def usage_chunk(self, usage: Usage) -> Said:
        """Return the last piece, which holds the count of tokens."""
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": usage_of(usage)}

    def _head(self, kind: str) -> Said:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def new_completion(user: int, body: Mapping[str, Any]) -> Completion:
    """Return a request under a new name.

    Raises:
        RefusalError: it names no model.
    """
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise RefusalError(400, "model: a name is wanted")
    name = f"chatcmpl-{secrets.token_hex(12)}"
    return Completion(name, int(time.time()), model, user, body)


def usage_of(usage: Usage) -> dict[str, int]:
    """Return a count of tokens as the form has it."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }


def sampling_of(body: Mapping[str, Any], default: Sampling) -> Sampling:
    """Return how a request wants its reply written; what it leaves open is the server's.

    Raises:
        RefusalError: a value is not of its kind.
    """
    wanted: dict[str, Any] = {}
    for name, most in (("temperature", 2.0), ("top_p", 1.0)):
        value = body.get(name)
        if value is not None:
            wanted[name] = float(_number(name, value, most))
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens", "seed"):
        value = body.get(name)
        if value is not None:
            if not isinstance(_number(name, value, 2.0**63 - 1), int):
                raise RefusalError(400, f"{name}: a whole number is wanted")
            wanted["seed" if name == "seed" else "max_tokens"] = value
    if wanted.get("max_tokens") == 0:
        raise RefusalError(400, "max_tokens: 1 or more is wanted")
    stop = body.get("stop")
    if stop is not None:
        stops = [stop] if isinstance(stop, str) else stop
        if not isinstance(stops, list) or not all(isinstance(each, str) for each in stops):
            raise RefusalError(400, "stop: a text, or a list of texts, is wanted")
        wanted["stop"] = tuple(stops)
    return replace(default, **wanted)


def _number(name: str, value: Any, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise RefusalError(400, f"{name}: a number from 0 to {most:g} is wanted")
    return value


class Completions:
    """Answers chat completions; may be used from many threads."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._visits = Visits(parts.rooms, parts.order.limits.run)

    def start(self, asked: Completion) -> Running:
        """Begin to answer; what the answer says are chunks, or the one whole answer.

        Raises:
            RefusalError: the request is wrong, there is no such model, or too much waits.
        """
        name, runs = asked.model, False
        if name not in self._parts.models.names and name.endswith(LOOP):
            name, runs = name.removesuffix(LOOP), True
        if name not in self._parts.models.names:
            raise RefusalError(404, f"no model {asked.model!r} here", "model_not_found")
        model = self._parts.models.get(name)
        if _is_relayed(asked.body) and not runs:
            work = self._relay(asked, model)
        elif asked.body.get("tools") or asked.body.get("n") not in (None, 1):
            raise RefusalError(400, f"{asked.model} is the whole loop: tools and n are for {name}")
        else:
            work = self._loop(asked, model) if runs else self._plain(asked, model)
        running = Running()
        running.start(self._parts.line, asked.user, _guarded(work, asked))
        return running

    def _plain(self, asked: Completion, model: Model) -> Callable[[Running], None]:
        messages = [_message(role, text) for role, text in asked.said()]
        sampling = sampling_of(asked.body, Sampling())

        def work(running: Running) -> None:
            stoppable = StoppableModel(model)
            running.stops.append(stoppable.stop)
            writer = _Writer(asked, running)
            with closing(stoppable.stream(messages, sampling)) as pieces:
                for piece in pieces:
                    if isinstance(piece, Reply):
                        self._count(asked, model, piece.usage)
                        writer.end(_FINISHES[piece.finish], piece.usage)
                    else:
                        writer.add(piece)

        return work

    def _loop(self, asked: Completion, model: Model) -> Callable[[Running], None]:
        said = asked.said()
        history = History()
        for role, text in said:
            history.take(role, text)
        dialogue = history.dialogue(runs_code=True)
        order = self._parts.order
        sampling = sampling_of(asked.body, order.sampling)
        before = key_of(said[:-1])

        def work(running: Running) -> None:
            stoppable = StoppableModel(model)
            running.stops.append(stoppable.stop)
            visit = _Visit(lambda: self._visits.open(asked.user, before, dialogue))
            running.stops.append(visit.interrupt)
            session = LazySession(visit.get, visit.anew, may_run=lambda _: not running.stopped)
            critics = [ExecutionCritic(on_success=order.explain)]
            writer = _Writer(asked, running)
            events = refine(
                dialogue, stoppable, session, critics, limits=order.limits, sampling=sampling
            )
            try:
                with closing(events):
                    for event in events:
                        match event:
                            case TextDelta(text):
                                writer.add(text)
                            case InputRequested():
                                session.send_input(None)  # nobody is there to answer
                            case ExecutionDone(index, result):
                                writer.add_block(told_result(index, result))
                            case DialogueDone(whole, reason):
                                turns = whole.turns[len(dialogue.turns) :]
                                cut = turns[-1].finish if turns else Finish.STOP
                                writer.reason = reason.value
                                usage = sum_usage(turn.usage for turn in turns)
                                self._count(asked, model, usage)
                                writer.end(_FINISHES[cut], usage)
                            case _:
                                pass
            finally:
                if visit.session is not None:
                    after = key_of([*said, ("assistant", writer.text)])
                    self._visits.keep(asked.user, after, visit.session)

        return work

    def _count(self, asked: Completion, model: Model, usage: Usage) -> None:
        seconds = time.time() - asked.created
        self._parts.store.count(asked.user, asked.id, model.name, usage, seconds)

    def _relay(self, asked: Completion, model: Model) -> Callable[[Running], None]:
        if not isinstance(model, OpenAIModel):
            raise RefusalError(400, f"{asked.model} runs here: tools are for models of an endpoint")

        def work(running: Running) -> None:
            pieces: Generator[Any, None, None] = model.relay(asked.body, timeout_s=_RELAY_S)
            with closing(pieces):
                for piece in pieces:
                    if running.stopped:
                        return
                    running.say(piece)

        return work


class _Visit:
    """The session of one request, opened when it is needed."""

    def __init__(self, open_session: Callable[[], RoomSession]) -> None:
        self._open = open_session
        self.session: RoomSession | None = None

    def get(self) -> RoomSession:
        if self.session is None:
            self.session = self._open()
        return self.session

    def anew(self) -> RoomSession:
        """Build the session anew after it broke."""
        session = self.get()
        cells = session.cells
        session.replay(cells)
        return session

    def interrupt(self) -> None:
        """Interrupt the run in progress; code that takes no notice is killed."""
        session = self.session
        if session is not None and session.interrupt():
            kill = threading.Timer(KILL_AFTER_S, self._kill, (session,))
            kill.daemon = True
            kill.start()

    def _kill(self, session: RoomSession) -> None:
        if session.idle_since is None:
            session.close()


class _Writer:
    """Writes an answer: as chunks, or whole at its end."""

    def __init__(self, asked: Completion, running: Running) -> None:
        self._asked = asked
        self._running = running
        self._texts: list[str] = []
        self._gap = False  # a block stands last: an empty line goes before what comes
        self.reason: str | None = None

    @property
    def text(self) -> str:
        return "".join(self._texts)

    def add(self, text: str) -> None:
        if self._gap:
            text, self._gap = f"\n\n{text}", False
        self._put(text)

    def add_block(self, text: str) -> None:
        """Add what a run gave, between empty lines."""
        self._put(f"\n\n{text}")
        self._gap = True

    def end(self, finish: str, usage: Usage) -> None:
        asked = self._asked
        more = {} if self.reason is None else {"codeloop": {"reason": self.reason}}
        if not asked.streamed:
            self._running.say({**asked.whole(self.text, finish, usage), **more})
            return
        self._running.say({**asked.chunk({}, finish), **more})
        if asked.tells_usage:
            self._running.say(asked.usage_chunk(usage))

    def _put(self, text: str) -> None:
        first = not self._texts
        self._texts.append(text)
        if self._asked.streamed:
            role = {"role": "assistant"} if first else {}
            self._running.say(self._asked.chunk({**role, "content": text}))


def _guarded(work: Callable[[Running], None], asked: Completion) -> Callable[[Running], None]:
    """Return work whose failure is told: in the stream as its last word."""

    def guarded(running: Running) -> None:
        try:
            work(running)
        except CodeloopError as error:
            text = "stopped" if running.stopped else str(error)
            running.say({"error": {"code": "unavailable", "message": text, "type": "server_error"}})

    return guarded


def _is_relayed(body: Mapping[str, Any]) -> bool:
    asked = {name for name in _RELAYED if body.get(name) not in (None, 1, False, [], {})}
    messages = body.get("messages")
    for each in messages if isinstance(messages, list) else []:
        parts = each.get("content") if isinstance(each, dict) else None
        rich = isinstance(parts, list) and any(
            isinstance(part, dict) and part.get("type") not in ("text", None) for part in parts
        )
        if rich or (isinstance(each, dict) and each.get("role") in ("tool", "function")):
            asked.add("messages")
    return bool(asked)


def _message(role: str, text: str) -> Message:
    match role:
        case "system" | "developer":
            return Message(Role.SYSTEM, text)
        case "user":
            return Message(Role.USER, text)
        case "assistant":
            return Message(Role.ASSISTANT, text)
        case _:
            raise RefusalError(400, f"role {role!r} is not one of system, user, assistant")


def sum_usage(usages: Iterable[Usage]) -> Usage:
    """Return the tokens of several model calls together."""
    total = Usage()
    for each in usages:
        total = Usage(
            total.prompt_tokens + each.prompt_tokens,
            total.completion_tokens + each.completion_tokens,
        )
    return total
