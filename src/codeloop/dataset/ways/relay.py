"""What ways that use the loop share: two models in turn, and the keys of what ran."""

from collections.abc import Generator, Sequence

from codeloop.core.dialogue import Message, Role
from codeloop.core.protocols import Model, Reply, Sampling, Session


class Relay:
    """A model that is the writer while nothing was answered yet, and the fixer from then on.

    For one dialogue: `name` is that of who spoke last, so that each turn says whose it is.
    """

    def __init__(self, writer: Model, fixer: Model) -> None:
        self._writer = writer
        self._fixer = fixer
        self._last = writer

    @property
    def name(self) -> str:
        return self._last.name

    @property
    def context_tokens(self) -> int | None:
        rooms = (self._writer.context_tokens, self._fixer.context_tokens)
        known = [room for room in rooms if room is not None]
        return min(known) if known else None

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self._speaker(messages).count_tokens(messages)

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        timeout_s: float | None = None,
    ) -> Generator[str | Reply, None, None]:
        self._last = self._speaker(messages)
        return self._last.stream(messages, sampling, timeout_s=timeout_s)

    def close(self) -> None:
        """Do nothing: the two belong to who made this."""

    def _speaker(self, messages: Sequence[Message]) -> Model:
        answered = any(message.role is Role.ASSISTANT for message in messages)
        return self._fixer if answered else self._writer


def run_keys(session: Session) -> tuple[str, ...]:
    """Return the keys of what a session has run, if it keeps its runs."""
    keys: tuple[str, ...] = getattr(session, "keys", ())
    return keys
