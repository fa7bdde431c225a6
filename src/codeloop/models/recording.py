"""Records what a model said, and says it again without the model: one JSON line a call."""

import fcntl
import hashlib
import json
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from codeloop.core.dialogue import Finish, Message, Role, Usage
from codeloop.core.errors import ConfigError, DataError, ModelError
from codeloop.core.protocols import Model, Reply, Sampling, TokenLogprob
from codeloop.models.estimate import estimate_tokens

FORMAT = 1
SHOWN_CHARS = 40


@dataclass(frozen=True, slots=True)
class Recorded:
    """One call as it was: what was asked, the pieces that came, and the reply."""

    model: str
    messages: tuple[Message, ...]
    sampling: Sampling
    pieces: tuple[str, ...]
    reply: Reply
    context_tokens: int | None = None


class RecordingModel:
    """Passes calls on to a model and appends those that said something to a file.

    Threads and processes may record into one file. What fails is not recorded. Of a call that is
    closed early, as when a reply repeats itself, it is what came until then.
    Token counts are, so that a replay cuts dialogues where the recording did.
    """

    def __init__(self, model: Model, path: Path) -> None:
        self._model = model
        self._path = path
        self._counted: set[str] = set()

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def context_tokens(self) -> int | None:
        return self._model.context_tokens

    def count_tokens(self, messages: Sequence[Message]) -> int:
        tokens = self._model.count_tokens(messages)
        key = messages_key(messages)
        if key not in self._counted:
            self._counted.add(key)
            append_line(self._path, {"format": FORMAT, "counted": key, "tokens": tokens})
        return tokens

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        timeout_s: float | None = None,
    ) -> Generator[str | Reply, None, None]:
        yield from recorded(self._model, messages, sampling, timeout_s, self._append)

    def _append(self, call: Recorded) -> None:
        append_line(self._path, to_json(call))

    def close(self) -> None:
        self._model.close()


def recorded(
    model: Model,
    messages: Sequence[Message],
    sampling: Sampling,
    timeout_s: float | None,
    keep: Callable[[Recorded], None],
) -> Generator[str | Reply, None, None]:
    """Pass a call on, and have it kept once it has come to its end, or the caller has enough."""
    pieces: list[str] = []

    def end(reply: Reply) -> None:
        asked = tuple(messages)
        keep(Recorded(model.name, asked, sampling, tuple(pieces), reply, model.context_tokens))

    with closing(model.stream(messages, sampling, timeout_s=timeout_s)) as stream:
        for part in stream:
            if isinstance(part, Reply):
                end(part)
                yield part
                return
            pieces.append(part)
            try:
                yield part
            except GeneratorExit:
                end(_cut("".join(pieces), model, messages))
                raise


def _cut(text: str, model: Model, messages: Sequence[Message]) -> Reply:
    """Return a reply that its caller cut; the tokens are counted, since the model says nothing."""
    written = model.count_tokens([Message(Role.ASSISTANT, text)])
    return Reply(text, Finish.CANCELLED, Usage(model.count_tokens(messages), written))


class ReplayModel:
    """Says again what a file holds; needs no model and no network.

    A call that was made more than once gets its replies in their order, then the last again.
    """

    def __init__(self, path: Path, *, name: str | None = None) -> None:
        """Read the file.

        Raises:
            DataError: it is no recording.
            ConfigError: it holds several models, and `name` picks none.
        """
        calls, self._counts = read_recording(path)
        names = sorted({call.model for call in calls})
        if name is None and len(names) > 1:
            msg = f"{path} holds several models ({', '.join(names)}): say replay:{path}:NAME"
            raise ConfigError(msg)
        self._name = name or (names[0] if names else path.stem)
        self._path = path
        self._calls = [call for call in calls if call.model == self._name]
        self._by_key: dict[str, list[Recorded]] = defaultdict(list)
        for call in self._calls:
            self._by_key[call_key(call.model, call.messages, call.sampling)].append(call)
        self._asked: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._name

    @property
    def context_tokens(self) -> int | None:
        return self._calls[-1].context_tokens if self._calls else None

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self._counts.get(messages_key(messages), estimate_tokens(messages))

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        timeout_s: float | None = None,
    ) -> Generator[str | Reply, None, None]:
        key = call_key(self._name, messages, sampling)
        calls = self._by_key.get(key)
        if calls is None:
            difference = nearest_difference(self._calls, messages, sampling)
            msg = f"{self._path} holds no such call of {self._name}: {difference}"
            raise ModelError(msg)
        with self._lock:
            index = min(self._asked[key], len(calls) - 1)
            self._asked[key] += 1
        yield from calls[index].pieces
        yield calls[index].reply

    def close(self) -> None:
        """Do nothing: the file was read when this was made."""


def call_key(model: str, messages: Sequence[Message], sampling: Sampling) -> str:
    """Return what two calls share exactly if they ask for the same: a SHA-256."""
    return _hash([model, _messages(messages), asdict(sampling)])


def messages_key(messages: Sequence[Message]) -> str:
    """Return the SHA-256 of the messages."""
    return _hash(_messages(messages))


def to_json(call: Recorded) -> dict[str, Any]:
    """Return a call as one JSON object; its text stands in the pieces."""
    sampling = asdict(call.sampling)
    row = {
        "format": FORMAT,
        "key": call_key(call.model, call.messages, call.sampling),
        "model": call.model,
        "context_tokens": call.context_tokens,
        "messages": _messages(call.messages),
        "sampling": {name: value for name, value in sampling.items() if value not in (None, ())},
        "pieces": call.pieces,
        "finish": call.reply.finish.value,
        "usage": asdict(call.reply.usage),
    }
    if call.reply.logprobs:
        row["logprobs"] = [[each.token, each.logprob, each.top] for each in call.reply.logprobs]
    if "".join(call.pieces) != call.reply.text:
        row["text"] = call.reply.text
    return row


def from_json(row: dict[str, Any]) -> Recorded:
    """Return the call of a JSON object.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    if row["format"] != FORMAT:
        msg = f"format {row['format']} is not known"
        raise ValueError(msg)
    sampling = dict(row["sampling"])
    sampling["stop"] = tuple(sampling.get("stop") or ())
    logprobs = tuple(
        TokenLogprob(token, logprob, tuple((name, value) for name, value in top))
        for token, logprob, top in row.get("logprobs", ())
    )
    pieces = tuple(row["pieces"])
    text = row.get("text", "".join(pieces))
    reply = Reply(text, Finish(row["finish"]), Usage(**row["usage"]), logprobs)
    messages = tuple(Message(Role(role), content) for role, content in row["messages"])
    return Recorded(
        row["model"], messages, Sampling(**sampling), pieces, reply, row["context_tokens"]
    )


def append_line(path: Path, row: dict[str, Any]) -> None:
    """Append an object as one line, whole: after a line that a crash cut short, on a new one.

    Raises:
        DataError: the file cannot be written.
    """
    line = json.dumps(row, separators=(",", ":")).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if file.seek(0, os.SEEK_END) and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n":
                line = b"\n" + line
            rest = memoryview(line)
            while rest:
                rest = rest[file.write(rest) :]
    except OSError as error:
        msg = f"{path}: cannot record ({error.strerror})"
        raise DataError(msg) from error


def read_recording(path: Path) -> tuple[list[Recorded], dict[str, int]]:
    """Return the calls of a file in their order, and its token counts by key of the messages.

    Raises:
        DataError: the file cannot be read, or a line is neither a call nor one cut short.
    """
    calls: list[Recorded] = []
    counts: dict[str, int] = {}
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise DataError(msg) from error
    for number, line in enumerate(lines, start=1):
        try:
            row = _row(line)
            if row is not None and "counted" in row:
                counts[row["counted"]] = int(row["tokens"])
            elif row is not None:
                calls.append(from_json(row))
        except (KeyError, TypeError, ValueError) as error:
            msg = f"{path}:{number}: not a recorded call ({error})"
            raise DataError(msg) from error
    return calls, counts


def _row(line: bytes) -> dict[str, Any] | None:
    """Return the object of a line; None for an empty one, and for one that a crash cut short."""
    if not line.strip():
        return None
    try:
        row: dict[str, Any] = json.loads(line)
    except ValueError:
        if line[:9] == b'{"format"'[: len(line)] and not line.endswith(b"}}"):
            return None
        raise
    return row


def nearest_difference(
    calls: Sequence[Recorded], messages: Sequence[Message], sampling: Sampling
) -> str:
    """Return in words where the call parts from the most similar one that was recorded."""
    if not calls:
        return "it is empty"
    nearest = max(
        calls, key=lambda call: (_common(call.messages, messages), call.sampling == sampling)
    )
    common = _common(nearest.messages, messages)
    if common == len(messages) == len(nearest.messages):
        was, now = asdict(nearest.sampling), asdict(sampling)
        changes = [f"{key} is {now[key]}, was {was[key]}" for key in was if was[key] != now[key]]
        return f"the sampling differs: {', '.join(changes)}"
    if common == len(nearest.messages):
        return f"message {common + 1} is one more than was recorded"
    if common == len(messages):
        return f"it ends after message {common}; the recorded one has {len(nearest.messages)}"
    return f"message {common + 1} differs: {_parting(nearest.messages[common], messages[common])}"


def _parting(was: Message, now: Message) -> str:
    if was.role is not now.role:
        return f"it is of {now.role}, was of {was.role}"
    at = _common(was.content, now.content)
    start = max(0, at - SHOWN_CHARS // 2)
    shown = [text[start : at + SHOWN_CHARS] for text in (now.content, was.content)]
    return f"from character {at + 1} it is {shown[0]!r}, was {shown[1]!r}"


def _common(one: Sequence[object], other: Sequence[object]) -> int:
    """Return how many elements the two begin with alike."""
    pairs = zip(one, other, strict=False)
    parting = (index for index, (a, b) in enumerate(pairs) if a != b)
    return next(parting, min(len(one), len(other)))


def _messages(messages: Sequence[Message]) -> list[list[str]]:
    return [[each.role.value, each.content] for each in messages]


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
