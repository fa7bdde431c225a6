"""Models made of another one: one that asks nothing twice, one that stops where its code ends."""

import re
import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from codeloop.core.codeblocks import find_blocks
from codeloop.core.dialogue import Finish, Message, Role, Usage
from codeloop.core.errors import ModelError
from codeloop.core.protocols import Model, Reply, Sampling
from codeloop.models.recording import (
    Recorded,
    append_line,
    call_key,
    read_recording,
    recorded,
    to_json,
)

_FENCE_LINE = re.compile(r"(?:^|\n)[ \t>]*(?:`{3,}|~{3,})[^\n]*\n\Z")
# A fence inside an open string of the code does not end a block, if the string is closed later.
_CLOSES_STRINGS = "\n\"\"\"\n```\n'''\n```\n"


class KeepingModel:
    """Says what a file already holds, and asks the model for the rest, which it adds to the file.

    So runs that ask the same share one reply, and a run that is made again costs nothing. Of a
    reply that its caller cut, it says again what came until then, so that the same caller cuts it
    at the same place; one that wants more has the model asked anew, which has to begin with the
    same words. Threads and processes may keep in one file; what another process adds is seen when
    it is next opened.
    """

    def __init__(self, model: Model, path: Path) -> None:
        """Read the file, if there is one.

        Raises:
            DataError: it is no recording.
        """
        self._model = model
        self._path = path
        self._lock = threading.Lock()
        self._kept: dict[str, Recorded] = {}
        calls, _ = read_recording(path) if path.exists() else ([], {})
        for call in calls:
            self._take(call)

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def context_tokens(self) -> int | None:
        return self._model.context_tokens

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self._model.count_tokens(messages)

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        timeout_s: float | None = None,
    ) -> Generator[str | Reply, None, None]:
        key = call_key(self.name, messages, sampling)
        with self._lock:
            kept = self._kept.get(key)
        asked = recorded(self._model, messages, sampling, timeout_s, self._keep)
        if kept is None:
            yield from asked
            return
        yield from kept.pieces
        if kept.reply.finish is not Finish.CANCELLED:
            yield kept.reply
            return
        yield from _going_on(asked, "".join(kept.pieces))

    def _keep(self, call: Recorded) -> None:
        append_line(self._path, to_json(call))
        with self._lock:
            self._take(call)

    def _take(self, call: Recorded) -> None:
        """Hold a call for those who ask the same: a whole reply rather than one that was cut."""
        key = call_key(call.model, call.messages, call.sampling)
        if call.reply.finish is not Finish.CANCELLED:
            self._kept[key] = call
        else:
            self._kept.setdefault(key, call)

    def close(self) -> None:
        self._model.close()


def _going_on(
    stream: Generator[str | Reply, None, None], said: str
) -> Generator[str | Reply, None, None]:
    """Pass a reply on from where its beginning has been said already.

    Raises:
        ModelError: it does not begin so.
    """
    so_far = ""
    with closing(stream):
        for part in stream:
            if isinstance(part, Reply):
                _see_that_begins(part.text, said)
                yield part
                return
            known = max(len(so_far), len(said))
            so_far += part
            _see_that_begins(so_far, said[: len(so_far)])
            if len(so_far) > known:
                yield so_far[known:]


def _see_that_begins(text: str, said: str) -> None:
    if not text.startswith(said):
        msg = "asked anew for more of a reply that was cut, the model says something else"
        raise ModelError(msg)


class UntilCodeModel:
    """Ends each reply with its first whole code block: what it would go on to explain is not asked.

    Of a reply that is cut, the model does not say how many tokens it took: they are counted. The
    name says so too, since figures of such replies are not those of the model alone.
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    @property
    def name(self) -> str:
        return f"{self._model.name}, until code"

    @property
    def context_tokens(self) -> int | None:
        return self._model.context_tokens

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self._model.count_tokens(messages)

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        timeout_s: float | None = None,
    ) -> Generator[str | Reply, None, None]:
        text = ""
        stream = self._model.stream(messages, sampling, timeout_s=timeout_s)
        with closing(stream):
            for part in stream:
                if isinstance(part, Reply):
                    yield part
                    return
                text += part
                end = _end_of_code(text, len(text) - len(part))
                if end is not None:
                    yield part[: len(part) - (len(text) - end)]
                    text = text[:end]
                    break
                yield part
            else:
                return  # no `Reply` came: that is for the caller to see
        written = self._model.count_tokens([Message(Role.ASSISTANT, text)])
        yield Reply(text, Finish.STOP, Usage(self._model.count_tokens(messages), written))

    def close(self) -> None:
        self._model.close()


def _end_of_code(text: str, seen: int) -> int | None:
    """Return where the first whole code block ends, if it does after the first `seen` characters.

    Only a line of the fence's kind can end one, so the text is scanned at such lines alone.
    """
    end = text.find("\n", seen)
    while end >= 0:
        lines = text[: end + 1]
        start = text.rfind("\n", 0, end) + 1
        if _FENCE_LINE.search(text, max(0, start - 1), end + 1):
            block = _first_block(lines)
            if block and block == _first_block(lines + _CLOSES_STRINGS):
                return end + 1
        end = text.find("\n", end + 1)
    return None


def _first_block(text: str) -> str:
    """Return the code of a text's first block if that is whole, else nothing."""
    blocks = find_blocks(text)
    return blocks[0].code if blocks and blocks[0].closed and blocks[0].code.strip() else ""
