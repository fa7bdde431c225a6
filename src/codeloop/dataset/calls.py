"""A model whose replies are kept: what was asked before is answered from the store."""

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from typing import Any

from codeloop.core.dialogue import Finish, Message, Usage
from codeloop.core.protocols import Model, Reply, Sampling
from codeloop.core.records import from_json, to_json
from codeloop.dataset.budget import Purse
from codeloop.dataset.keys import digest
from codeloop.dataset.store import Entry, Store, Table

FORMAT = 1  # a part of every key: a change of what a key is made of is a new format


class Asking:
    """Who asks what just now, so that two do not ask the same; threads share it."""

    def __init__(self) -> None:
        self._state = threading.Lock()
        self._turns: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def alone(self, key: str) -> Iterator[bool]:
        """Be the only one who asks for a key; yields whether another had to be waited for."""
        with self._state:
            turn, others = self._turns.get(key, (threading.Lock(), 0))
            self._turns[key] = turn, others + 1
        try:
            with turn:
                yield others > 0
        finally:
            with self._state:
                turn, others = self._turns.pop(key)
                if others > 1:
                    self._turns[key] = turn, others - 1


class StoredModel:
    """Answers from the store, else asks the model and keeps the reply.

    A call that fails is not kept, nor is one that was cut because the time was up. `attempt` is
    part of the key: another one asks anew. `usage` adds up the tokens of all replies, those from
    the store too; `asked` counts the calls that were made.
    """

    def __init__(
        self, model: Model, store: Store, asking: Asking, purse: Purse, *, attempt: int = 0
    ) -> None:
        self._model = model
        self._store = store
        self._asking = asking
        self._purse = purse
        self._attempt = attempt
        self.name = model.name
        self.context_tokens = model.context_tokens
        self.usage = Usage()
        self.asked = 0

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self._model.count_tokens(messages)

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        timeout_s: float | None = None,
    ) -> Generator[str | Reply, None, None]:
        key = call_key(self.name, messages, sampling, attempt=self._attempt)
        kept = self._store.get(Table.CALLS, key)
        if kept is None:
            with self._asking.alone(key) as waited:
                kept = self._store.get(Table.CALLS, key) if waited else None
                if kept is None:
                    yield from self._ask(key, messages, sampling, timeout_s)
                    return
        reply = from_json(Reply, kept)
        self._count(reply)
        if reply.text:
            yield reply.text
        yield reply

    def close(self) -> None:
        """Leave the model open: others use it too."""

    def _ask(
        self, key: str, messages: Sequence[Message], sampling: Sampling, timeout_s: float | None
    ) -> Generator[str | Reply, None, None]:
        """Pass the call on; its last part is given when it is kept."""
        self._purse.check()
        self.asked += 1
        with closing(self._model.stream(messages, sampling, timeout_s=timeout_s)) as parts:
            for part in parts:
                if not isinstance(part, Reply):
                    yield part
                    continue
                self._purse.spend(self.name, part.usage)
                reply = self._keep(key, part)
                self._count(reply)
                yield reply

    def _keep(self, key: str, reply: Reply) -> Reply:
        """Keep a reply; return the one that is kept: another process may have been first."""
        if reply.finish is Finish.CANCELLED:
            return reply
        value = to_json(reply)
        if not reply.logprobs:
            del value["logprobs"]
        tokens = reply.usage.prompt_tokens, reply.usage.completion_tokens
        if self._store.put(Entry(Table.CALLS, key, self.name, value, *tokens)).wait():
            return reply
        return from_json(Reply, self._store.get(Table.CALLS, key))

    def _count(self, reply: Reply) -> None:
        self.usage = Usage(
            self.usage.prompt_tokens + reply.usage.prompt_tokens,
            self.usage.completion_tokens + reply.usage.completion_tokens,
        )


def call_key(
    model: str, messages: Sequence[Message], sampling: Sampling, *, attempt: int = 0
) -> str:
    """Return what two calls share exactly if they ask the same of a model of the same name.

    Where the model is, and the key that opens it, are no part of it.
    """
    asked: list[Any] = [[each.role.value, each.content] for each in messages]
    return digest([FORMAT, "chat", model, asked, _wanted(sampling), attempt])


@lru_cache
def _wanted(sampling: Sampling) -> dict[str, Any]:
    return {name: value for name, value in to_json(sampling).items() if value not in (None, [])}
