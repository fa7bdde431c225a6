"""Keeps the head and the tail of a stream, however long it is, and decodes it piece by piece."""

import codecs

from codeloop.core.execution import Output

_CONTINUATION = 0b10  # the top bits of a UTF-8 byte that does not begin a character
_LONGEST_CHARACTER = 4


class Capture:
    """One stream of a run: what is kept of it, and what is shown of it as it comes."""

    def __init__(self, keep_bytes: int) -> None:
        self._keep = keep_bytes
        self._half = keep_bytes // 2
        self._start = bytearray()  # the first keep_bytes
        self._recent = bytearray()  # what came after them, of which the end matters
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.total_bytes = 0

    def feed(self, data: bytes) -> str:
        """Take in more of the stream; return the text to show: nothing once the cap is reached."""
        self.total_bytes += len(data)
        room = self._keep - len(self._start)
        shown = data[:room]
        self._start += shown
        if len(data) > room:
            self._recent += data[room:]
            if len(self._recent) > 2 * self._keep:
                del self._recent[: -self._keep]
        return self._decoder.decode(shown)

    def finish(self) -> str:
        """Return what is left to show when the stream has ended: a character cut short."""
        return self._decoder.decode(b"", final=True)

    def output(self) -> Output:
        """Return the stream's record: all of it, or head, a marker, and tail."""
        if self.total_bytes <= self._keep:
            return Output(self._start.decode("utf-8", "replace"), self.total_bytes)
        head = _without_cut_end(bytes(self._start[: self._half]))
        end = bytes(self._start[-self._half :] + self._recent) if self._half else b""
        tail = _without_cut_start(end[-self._half :])
        left_out = self.total_bytes - len(head) - len(tail)
        text = (
            head.decode("utf-8", "replace")
            + f"\n... {left_out} bytes left out ...\n"
            + tail.decode("utf-8", "replace")
        )
        return Output(text, self.total_bytes, truncated=True)


def _without_cut_end(data: bytes) -> bytes:
    """Return the data without a character at its end that the cut went through."""
    for back in range(1, min(_LONGEST_CHARACTER, len(data)) + 1):
        byte = data[-back]
        if byte >> 6 != _CONTINUATION:
            return data[:-back] if _size_of_character(byte) > back else data
    return data


def _without_cut_start(data: bytes) -> bytes:
    """Return the data without the rest of a character at its start."""
    for at in range(min(_LONGEST_CHARACTER, len(data))):
        if data[at] >> 6 != _CONTINUATION:
            return data[at:]
    return data if len(data) >= _LONGEST_CHARACTER else b""


def _size_of_character(first: int) -> int:
    """Return how many bytes a character takes that begins with this one; 1 if none does."""
    for size, lowest, beyond in ((2, 0xC0, 0xE0), (3, 0xE0, 0xF0), (4, 0xF0, 0xF8)):
        if lowest <= first < beyond:
            return size
    return 1
