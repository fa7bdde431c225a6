"""A model that says what it was told to say: for tests, demonstrations and dry runs."""

import json
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeloop.core.dialogue import Finish, Message, Usage
from codeloop.core.errors import ContextOverflowError, DataError, ModelError
from codeloop.core.protocols import Reply, Sampling
from codeloop.models.estimate import estimate_text_tokens, estimate_tokens

Step = str | Reply | Exception
Script = Sequence[Step] | Callable[[Sequence[Message]], Step]


@dataclass(frozen=True, slots=True)
class Call:
    """What one call of the model was given."""

    messages: tuple[Message, ...]
    sampling: Sampling
    timeout_s: float | None = None


class ScriptedModel:
    """Says its replies in order, one a call; an exception among them is raised in its place.

    A function in place of the list answers every call from its messages, whatever the order in
    which threads ask. `piece_chars` cuts a reply into pieces of that many characters; None
    yields it in one. Threads may share one model. `calls` holds what each call was given.
    """

    def __init__(
        self,
        replies: Script,
        *,
        name: str = "scripted",
        context_tokens: int | None = None,
        piece_chars: int | None = None,
    ) -> None:
        self.calls: list[Call] = []
        self._name = name
        self._context_tokens = context_tokens
        self._piece_chars = piece_chars
        self._replies = replies if callable(replies) else tuple(replies)
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._name

    @property
    def context_tokens(self) -> int | None:
        return self._context_tokens

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return estimate_tokens(messages)

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        timeout_s: float | None = None,
    ) -> Generator[str | Reply, None, None]:
        with self._lock:
            index = len(self.calls)
            self.calls.append(Call(tuple(messages), sampling, timeout_s))
        step = self._step(index, messages)
        if isinstance(step, Exception):
            raise step
        needed = self.count_tokens(messages)
        if self._context_tokens is not None and needed > self._context_tokens:
            msg = f"{self._name}: {needed} tokens do not fit into {self._context_tokens}"
            raise ContextOverflowError(msg)
        reply = step if isinstance(step, Reply) else _reply(step, needed)
        yield from _pieces(reply.text, self._piece_chars)
        yield reply

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""

    def _step(self, index: int, messages: Sequence[Message]) -> Step:
        if callable(self._replies):
            return self._replies(messages)
        if index >= len(self._replies):
            msg = f"{self._name}: asked {index + 1} times, but has {len(self._replies)} replies"
            raise ModelError(msg)
        return self._replies[index]


def _reply(text: str, prompt_tokens: int) -> Reply:
    return Reply(text, usage=Usage(prompt_tokens, estimate_text_tokens(text)))


def _pieces(text: str, piece_chars: int | None) -> Iterator[str]:
    """Yield the text in pieces; nothing for an empty text."""
    size = piece_chars or len(text) or 1
    for start in range(0, len(text), size):
        yield text[start : start + size]


def read_script(path: Path) -> list[Step]:
    """Return the replies of a file: a JSON list, or JSON lines.

    Each is a text, or an object with `text` and perhaps `finish`, or with `error`.

    Raises:
        DataError: it holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if text.lstrip().startswith("["):
            return [_step(row) for row in json.loads(text)]
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise DataError(msg) from error
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{path}: not a list of replies ({error})"
        raise DataError(msg) from error
    steps = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            steps += [_step(json.loads(line))] if line.strip() else []
        except (ValueError, KeyError, TypeError) as error:
            msg = f"{path}:{number}: not a reply ({error})"
            raise DataError(msg) from error
    return steps


def _step(row: Any) -> Step:
    match row:
        case str():
            return row
        case {"error": str(text)}:
            return ModelError(text)
        case {"text": str(text), **rest}:
            finish = Finish(str(rest.get("finish", Finish.STOP)))
            return Reply(text, finish, Usage(0, estimate_text_tokens(text)))
        case _:
            msg = "a reply is a text, or an object with text or error"
            raise ValueError(msg)
