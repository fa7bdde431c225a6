"""HTTP connections to one endpoint: kept open between calls, every wait bounded by a deadline."""

import http.client
import io
import os
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from urllib3.connection import HTTPConnection
from urllib3.response import HTTPResponse
from urllib3.util.wait import wait_for_read

READ_BYTES = 64 << 10
HEAD_BYTES = 16 << 10
DRAIN_S = 0.05  # how long the end of an answer may take for its connection to be used again


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


class Exchange:
    """One request and its answer. Close it: at its end the connection is kept, before it is cut."""

    def __init__(
        self, connection: "_Connection", response: HTTPResponse, transport: "Transport"
    ) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._connection = connection
        self._response = response
        self._transport = transport
        self._ended = False

    def read(self) -> bytes:
        """Return what has come, waiting for at least one byte; nothing at the end."""
        data = self._response.read1(READ_BYTES)
        self._ended = not data
        return data

    def hurry(self, seconds: float) -> None:
        """Bring the deadline forward: what is still to come may not take longer."""
        deadline = self._connection.deadline
        at = min(deadline.at, deadline.clock() + seconds)
        self._connection.deadline = Deadline(at, deadline.clock)

    def drain(self) -> None:
        """Read on to the end if it is near, so that the connection can be used again."""
        self.hurry(DRAIN_S)
        with suppress(Exception):  # whatever it is, the connection is cut then
            while not self._ended:
                self.read()

    def close(self) -> None:
        reusable = self._ended and not self._connection.is_closed
        if not reusable:
            self._response.close()
        self._transport.put(self._connection, reusable=reusable)


class Transport:
    """The connections to one endpoint; threads share it. `close` cuts what is in flight."""

    def __init__(self, address: Address) -> None:
        self.closed = False
        self._address = address
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._tls = ssl.create_default_context() if address.tls else None

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, deadline: Deadline
    ) -> Exchange:
        """Send a request and return its answer once its head is here.

        Raises:
            OSError: no connection, or it broke; TimeoutError at the deadline.
            http.client.HTTPException: the answer is not HTTP.
        """
        if self._address.proxy and not self._address.tls:
            path = f"http://{self._address.host}:{self._address.port}{path}"
        connection = self._take()
        if connection is not None:
            with suppress(ConnectionError):  # closed while idle: that says nothing yet
                return self._ask(connection, method, path, headers, body, deadline)
        return self._ask(self._new(), method, path, headers, body, deadline)

    def put(self, connection: "_Connection", *, reusable: bool) -> None:
        """Take a connection back."""
        with self._lock:
            if reusable and not self.closed:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close all connections; whoever still reads from one sees its end."""
        with self._lock:
            self.closed = True
            idle, self._idle = self._idle, []
            sockets = list(self._sockets)
        for connection in idle:
            connection.close()
        for sock in sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _take(self) -> "_Connection | None":
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None or not wait_for_read(connection.sock, timeout=0):
                return connection
            connection.close()  # readable while idle: the other side hung up

    def _new(self) -> "_Connection":
        return _Connection(self._address, self._tls)

    def _ask(
        self,
        connection: "_Connection",
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        deadline: Deadline,
    ) -> Exchange:
        connection.deadline = deadline
        try:
            if connection.is_closed:
                connection.connect()
            sock = connection.sock
            self._watch(sock)
            connection.request(method, path, body=body, headers=headers, preload_content=False)
            connection.flush()
            return Exchange(connection, connection.getresponse(), self)
        except BaseException:
            connection.close()
            raise

    def _watch(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.add(sock)
            if self.closed:
                msg = "the client is closed"
                raise ConnectionAbortedError(msg)


class _Connection(HTTPConnection):
    """A connection whose every read ends at the deadline of the call that it serves."""

    def __init__(self, address: Address, tls: ssl.SSLContext | None) -> None:
        super().__init__(address.host, address.port or None)
        self.deadline = Deadline(0)
        self._target = address
        self._tls = tls
        self._unsent: list[bytes] = []

    def connect(self) -> None:
        self.sock = _open(self._target, self._tls, self.deadline)

    def send(self, data: Any) -> None:
        """Take a piece of a request; `flush` sends it."""
        self._unsent.append(data)

    def flush(self) -> None:
        """Send head and body in one piece: in two, a server is woken twice."""
        request = b"".join(self._unsent)
        self._unsent.clear()
        self.sock.settimeout(self.deadline.remaining())
        self.sock.sendall(request)

    def response_class(  # type: ignore[override]  # called, and nothing else is asked of it
        self, sock: socket.socket, *args: Any, **options: Any
    ) -> http.client.HTTPResponse:
        """Make the answer that http.client parses, on a reader with a deadline."""
        readable: Any = _Readable(sock, self)
        return http.client.HTTPResponse(readable, *args, **options)


@dataclass(slots=True)
class _Readable:
    """Stands in for the socket where http.client makes a file of it."""

    sock: socket.socket
    connection: _Connection

    def makefile(self, mode: str) -> io.BufferedReader:
        raw = self.sock.makefile("rb", buffering=0)
        return io.BufferedReader(_BoundedReader(raw, self.sock, self.connection), READ_BYTES)


class _BoundedReader(io.RawIOBase):
    """Reads from a socket until the deadline of its connection, however slowly bytes drip."""

    def __init__(self, raw: Any, sock: socket.socket, connection: _Connection) -> None:
        self._raw = raw  # keeps the socket open, as http.client expects of a file
        self._sock = sock
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._connection.deadline.remaining())
        return self._sock.recv_into(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


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
