"""Server-sent events, taken apart as they come: any cut of the bytes gives the same events."""

from codeloop.core.errors import ModelError

EVENT_BYTES = 8 << 20  # no event of a chat is longer; an endless line ends here
BOM = b"\xef\xbb\xbf"


class EventParser:
    """Takes bytes, gives the data of the events that they complete; other fields are dropped.

    Lines may end in CR, LF or both; an event is the `data:` lines before an empty line, joined
    by LF (WHATWG HTML, section 9.2.6).
    """

    def __init__(self, *, event_bytes: int = EVENT_BYTES) -> None:
        self._event_bytes = event_bytes
        self._line: list[bytes] = []  # the pieces of the line that has not ended
        self._data: list[bytes] = []  # the data lines of the event that has not ended
        self._size = 0  # of both
        self._after_cr = False
        self._first = True

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of the events that end in these bytes.

        Raises:
            ModelError: an event is too long.
        """
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
            self._after_cr = False
        if not data:
            return []
        self._after_cr = data.endswith(b"\r")
        events: list[bytes] = []
        lines = data.splitlines(keepends=True)
        last = lines.pop() if not lines[-1].endswith((b"\n", b"\r")) else b""
        for line in lines:
            self._end_line(line.rstrip(b"\r\n"), events)
        if last:
            self._grow(len(last))
            self._line.append(last)
        return events

    def end(self) -> list[bytes]:
        """Return the event that the end of the stream cuts short, if it has data.

        A browser would drop it; servers that forget the last empty line are too common for that.
        """
        events: list[bytes] = []
        if self._line:
            self._end_line(b"", events)
        self._end_event(events)
        return events

    def _end_line(self, line: bytes, events: list[bytes]) -> None:
        if self._line:
            self._line.append(line)
            line = b"".join(self._line)
            self._line.clear()
        if self._first:
            line = line.removeprefix(BOM)
            self._first = False
        if not line:
            self._end_event(events)
        elif line.startswith(b"data:"):
            self._grow(len(line))
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif line == b"data":
            self._data.append(b"")

    def _end_event(self, events: list[bytes]) -> None:
        if self._data:
            events.append(b"\n".join(self._data))
            self._data.clear()
        self._size = 0

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self._event_bytes:
            msg = f"the endpoint sent an event of more than {self._event_bytes} bytes"
            raise ModelError(msg)
