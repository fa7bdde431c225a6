"""HTTP connections to one endpoint: kept open between calls, every wait bounded by a deadline."""

import errno
import os
import re
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

READ_BYTES = 64 << 10
HEAD_BYTES = 64 << 10
DRAIN_S = 0.05  # how long the end of an answer may take for its connection to be used again
FRESH_S = 1.0  # idle for longer, a connection is looked at before it is used again
PORTS = {"http": 80, "https": 443}
_STATUS = re.compile(rb"HTTP/1\.([01]) +([1-9]\d\d)(?: .*)?")
_STATUS_END = re.compile(rb"(?=\r?\n)")  # it stays: a head may have no line but this one
_HEAD_END, _LINE_END = re.compile(rb"\r?\n\r?\n"), re.compile(rb"\r?\n")
_CHUNK = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;|$)")
_NEWS = range(100, 200)  # what comes before the answer itself
_BODILESS = frozenset({204, 304})


class NotHttpError(Exception):
    """What answers does not speak HTTP."""


@dataclass(slots=True)
class Deadline:
    """The moment at which a call ends, whatever it is doing."""

    at: float
    clock: Callable[[], float] = time.monotonic

    def remaining(self) -> float:
        """Return the seconds left.

        Raises:
            TimeoutError: there are none.
        """
        left = self.at - self.clock()
        if left <= 0:
            msg = "the time is up"
            raise TimeoutError(msg)
        return left


@dataclass(frozen=True, slots=True)
class Address:
    """Where an endpoint listens: host and port, perhaps behind a proxy, or a Unix socket."""

    host: str
    port: int = 0
    tls: bool = False
    proxy: tuple[str, int] | None = None
    unix: str = ""

    @property
    def shown(self) -> str:
        """How a request calls the endpoint: the port stands there unless it is the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host.encode("idna").decode("ascii")
        return host if self.port in {0, PORTS["http" + "s" * self.tls]} else f"{host}:{self.port}"


class Exchange:
    """The answer to a request. Close it: at its end the connection is kept, before it is cut.

    The names in `headers` are in small letters.
    """

    def __init__(self, connection: "_Connection", transport: "Transport", deadline: Deadline):
        self._connection = connection
        self._transport = transport
        self._deadline = deadline
        self._data = b""  # what has come and was not given out yet
        self.status, self.headers, self._keeps = self._head()
        self._ended = False
        self._parts = self._body()

    def read(self) -> bytes:
        """Return what has come, waiting for at least one byte; nothing at the end.

        Raises:
            EOFError: the connection ended before the answer did.
            OSError: it broke; TimeoutError at the deadline.
            NotHttpError: a chunk has no size.
        """
        return next(self._parts, b"")

    def hurry(self, seconds: float) -> None:
        """Bring the deadline forward: what is still to come may not take longer."""
        deadline = self._deadline
        at = min(deadline.at, deadline.clock() + seconds)
        self._deadline = Deadline(at, deadline.clock)

    def drain(self) -> None:
        """Read on to the end if it is near, so that the connection can be used again."""
        if self._ended:
            return
        self.hurry(DRAIN_S)
        with suppress(OSError, EOFError, NotHttpError):  # the connection is cut then
            while self.read():
                pass

    def close(self) -> None:
        reusable = self._ended and self._keeps and not self._data
        self._transport.put(self._connection, reusable=reusable)

    def _head(self) -> tuple[int, dict[str, str], bool]:
        """Return status, headers, and whether the connection goes on after the answer."""
        while True:
            line = self._up_to(_STATUS_END)
            found = _STATUS.fullmatch(line)
            if found is None:
                raise _not_http(line)
            status = int(found[2])
            headers = _headers(self._up_to(_HEAD_END))
            if status not in _NEWS:
                spoken = headers.get("connection", "" if found[1] == b"1" else "close")
                return status, headers, "close" not in spoken.lower()

    def _body(self) -> Iterator[bytes]:
        """Yield the body as it comes."""
        length = self.headers.get("content-length", "")
        if self.status in _BODILESS:
            self._ended = True
        elif "chunked" in self.headers.get("transfer-encoding", "").lower():
            yield from self._chunks()
        elif length.isdecimal():
            left = int(length)
            self._ended = not left
            while left:
                data = self._some(left)
                left -= len(data)
                self._ended = not left
                yield data
        else:  # it ends with the connection
            self._keeps = False
            with suppress(EOFError):
                while True:
                    yield self._some(READ_BYTES)
            self._ended = True

    def _chunks(self) -> Iterator[bytes]:
        while True:
            line = self._up_to(_LINE_END)
            found = _CHUNK.match(line)
            if found is None:
                raise _not_http(line)
            left = int(found[1], 16)
            if not left:
                break
            while left:
                data = self._some(left)
                left -= len(data)
                yield data
            self._up_to(_LINE_END)
        while self._up_to(_LINE_END):
            pass
        self._ended = True

    def _some(self, most: int) -> bytes:
        """Return so many bytes at most, and one at least."""
        data = self._data or self._receive()
        if not data:
            raise EOFError
        self._data = data[most:]
        return data[:most]

    def _up_to(self, end: re.Pattern[bytes]) -> bytes:
        """Return what comes before an end; both are taken."""
        data = self._data
        while (found := end.search(data)) is None:
            if len(data) > HEAD_BYTES:
                raise _not_http(data)
            more = self._receive()
            if not more and not data and end is _STATUS_END:
                raise ConnectionResetError(errno.ECONNRESET, "hung up before an answer")
            if not more:
                raise EOFError
            data += more
        self._data = data[found.end() :]
        return data[: found.start()]

    def _receive(self) -> bytes:
        """Return what comes next; nothing where the connection ends."""
        return self._connection.receive(self._deadline.remaining())


class Transport:
    """The connections to one endpoint; threads share it. `close` cuts what is in flight.

    `headers` go with every request.
    """

    def __init__(self, address: Address, headers: Mapping[str, str]) -> None:
        self.closed = False
        self._address = address
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []
        self._sockets: set[socket.socket] = set()
        self._tls = ssl.create_default_context() if address.tls else None
        lines = {"Host": address.shown, **headers}
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._before_path = ""
        if address.proxy and not address.tls:
            self._before_path = f"http://{address.host}:{address.port}"

    def request(self, method: str, path: str, body: bytes, deadline: Deadline) -> Exchange:
        """Send a request and return its answer once its head is here.

        Raises:
            OSError: no connection, or it broke; TimeoutError at the deadline.
            EOFError: the connection ended before the head did.
            NotHttpError: the answer is not HTTP.
        """
        line = f"{method} {self._before_path}{path} HTTP/1.1\r\n"
        head = f"{line}{self._headers}Content-Length: {len(body)}\r\n\r\n"
        data = head.encode("ascii") + body
        connection = self._take()
        if connection is not None:
            with suppress(ConnectionError):  # closed while idle: that says nothing yet
                return self._ask(connection, data, deadline)
        return self._ask(_Connection(self._open(deadline)), data, deadline)

    def put(self, connection: "_Connection", *, reusable: bool) -> None:
        """Take a connection back."""
        if reusable:
            connection.idle_since = time.monotonic()
            with self._lock:
                if not self.closed:
                    self._idle.append(connection)
                    return
        self._cut(connection)

    def close(self) -> None:
        """Close all connections; whoever still reads from one sees its end."""
        with self._lock:
            self.closed = True
            idle, self._idle = self._idle, []
            sockets = list(self._sockets)
        for sock in sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for connection in idle:
            self._cut(connection)

    def _take(self) -> "_Connection | None":
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None or not connection.is_stale:
                return connection
            self._cut(connection)

    def _open(self, deadline: Deadline) -> socket.socket:
        sock = _open(self._address, self._tls, deadline)
        with self._lock:
            if not self.closed:
                self._sockets.add(sock)
                return sock
        sock.close()
        msg = "the client is closed"
        raise ConnectionAbortedError(msg)

    def _ask(self, connection: "_Connection", data: bytes, deadline: Deadline) -> Exchange:
        try:
            connection.send(data, deadline.remaining())
            return Exchange(connection, self, deadline)
        except BaseException:
            self._cut(connection)
            raise

    def _cut(self, connection: "_Connection") -> None:
        with self._lock:
            self._sockets.discard(connection.sock)
        connection.sock.close()


@dataclass(slots=True)
class _Connection:
    """A socket, and since when nobody has used it."""

    sock: socket.socket
    idle_since: float = 0.0

    def send(self, data: bytes, timeout_s: float) -> None:
        """Send all in one piece: in two, a server is woken twice."""
        self._bound(socket.SO_SNDTIMEO, timeout_s)
        try:
            self.sock.sendall(data)
        except BlockingIOError as error:
            raise TimeoutError from error

    def receive(self, timeout_s: float) -> bytes:
        """Return what comes next; nothing where the connection ends."""
        self._bound(socket.SO_RCVTIMEO, timeout_s)
        try:
            return self.sock.recv(READ_BYTES)
        except BlockingIOError as error:
            raise TimeoutError from error

    def _bound(self, which: int, timeout_s: float) -> None:
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock.settimeout(timeout_s)
        else:  # the kernel waits: Python would let other threads run before it reads
            microseconds = max(1, int(timeout_s * 1e6))  # none would be for ever
            at_most = struct.pack("ll", *divmod(microseconds, 1_000_000))
            self.sock.setsockopt(socket.SOL_SOCKET, which, at_most)

    @property
    def is_stale(self) -> bool:
        """Whether the other side hung up, or spoke unasked, while nobody looked."""
        if time.monotonic() - self.idle_since < FRESH_S:
            return False
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))


def _headers(lines: bytes) -> dict[str, str]:
    found = {}
    for line in lines.decode("latin-1").split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            found[name.lower()] = value.strip()
    return found


def _not_http(data: bytes) -> NotHttpError:
    return NotHttpError(f"not HTTP: {data[:40]!r}")


def _open(address: Address, tls: ssl.SSLContext | None, deadline: Deadline) -> socket.socket:
    if address.unix:
        return _connect(socket.AF_UNIX, address.unix, deadline)
    sock = _connect_tcp(*(address.proxy or (address.host, address.port)), deadline)
    if tls is None:
        return sock
    try:
        if address.proxy:
            _tunnel(sock, address, deadline)
        sock.settimeout(deadline.remaining())
        return tls.wrap_socket(sock, server_hostname=address.host)
    except BaseException:
        sock.close()
        raise


def _connect_tcp(host: str, port: int, deadline: Deadline) -> socket.socket:
    """Connect to the first address of the host that answers. Only the name's look-up is unbounded.

    Raises:
        OSError: none answers; of the last one.
    """
    failure: OSError = OSError(f"{host} has no address")
    for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        try:
            sock = _connect(family, address, deadline)
        except OSError as error:
            failure = error
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
    raise failure


def _connect(family: int, address: Any, deadline: Deadline) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(deadline.remaining())
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    sock.settimeout(None)
    return sock


def _tunnel(sock: socket.socket, address: Address, deadline: Deadline) -> None:
    """Have a proxy connect us through."""
    to = f"{address.host}:{address.port}"
    sock.sendall(f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n".encode("ascii"))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        sock.settimeout(deadline.remaining())
        byte = sock.recv(1)
        head += byte
        if not byte or len(head) > HEAD_BYTES:
            msg = "the proxy gave no answer"
            raise ConnectionError(msg)
    if head.split(b" ", 2)[1:2] != [b"200"]:
        msg = f"the proxy refused: {os.fsdecode(head.splitlines()[0][:80])}"
        raise ConnectionError(msg)
