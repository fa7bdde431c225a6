"""A small HTTP server whose answers are scripts: it says what a test wants, byte by byte."""

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

WAIT_S = 20.0


@dataclass
class Request:
    """What was asked, and the means to answer it; `gone` is set when the client hung up."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    sock: socket.socket
    gone: threading.Event = field(default_factory=threading.Event)
    keep: bool = False

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def send(self, data: bytes | str) -> None:
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def wait_gone(self) -> None:
        """Return when the client has hung up."""
        self.sock.settimeout(WAIT_S)
        with suppress(ConnectionError):
            while self.sock.recv(1 << 16):
                pass
        self.gone.set()

    def send_endlessly(self, data: bytes) -> None:
        """Send the same again and again until the client hangs up."""
        with suppress(OSError):
            while True:
                self.sock.sendall(data)
        self.gone.set()


Answer = Callable[[Request], None]


def raw(data: bytes | str) -> Answer:
    """Send the bytes and hang up."""
    return lambda request: request.send(data)


def status(code: int, body: bytes | str | dict[str, Any] = b"", **headers: str) -> Answer:
    """Answer with a status; the connection stays open."""
    text = json.dumps(body) if isinstance(body, dict) else body
    data = text.encode() if isinstance(text, str) else text
    headers.setdefault(
        "Content_Type", "application/json" if isinstance(body, dict) else "text/html"
    )
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())

    def answer(request: Request) -> None:
        request.keep = True
        request.send(
            f"HTTP/1.1 {code} X\r\n{lines}Content-Length: {len(data)}\r\n\r\n".encode() + data
        )

    return answer


HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes | str) -> bytes:
    """Return the bytes as a chunk of the transfer encoding."""
    data = data.encode() if isinstance(data, str) else data
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def event(value: Any) -> str:
    """Return an event with JSON data."""
    return f"data: {json.dumps(value)}\n\n"


def delta(text: str, **more: Any) -> str:
    """Return the event of a piece of text."""
    return event({"choices": [{"index": 0, "delta": {"content": text}, **more}]})


FINISH = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
USAGE = event({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}})
DONE = "data: [DONE]\n\n"


def stream(*parts: bytes | str, end: bool = True) -> Answer:
    """Stream the parts, each a chunk; without `end`, hang up before the last chunk."""

    def answer(request: Request) -> None:
        request.keep = end
        request.send(HEAD)
        for part in parts:
            request.send(chunk(part))
        if end:
            request.send(b"0\r\n\r\n")

    return answer


def says(text: str = "hello") -> Answer:
    """Stream a whole reply."""
    return stream(delta(text), FINISH, USAGE, DONE)


class Server:
    """Gives its answers in order, the last one for ever; keeps the requests.

    A server with a greeting sends that to whoever connects, and hangs up.
    """

    def __init__(self, *answers: Answer, greeting: bytes = b"") -> None:
        self._greeting = greeting
        self.requests: list[Request] = []
        self.connections = 0
        self._answers = list(answers)
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._socks: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            socks = list(self._socks)
        for sock in socks:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(WAIT_S)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            with self._lock:
                self.connections += 1
                self._socks.add(sock)
                self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, suppress(OSError), sock.makefile("rb") as file:
            if self._greeting:
                sock.sendall(self._greeting)
                return
            while (request := self._read(sock, file)) is not None:
                with self._lock:
                    self.requests.append(request)
                    answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                answer(request)
                if not request.keep:
                    break
        with self._lock:
            self._socks.discard(sock)

    def _read(self, sock: socket.socket, file: Any) -> Request | None:
        line = file.readline().decode().split()
        if not line:
            return None
        headers = {}
        while (row := file.readline().decode().strip()) != "":
            name, _, value = row.partition(":")
            headers[name.lower()] = value.strip()
        body = file.read(int(headers.get("content-length", 0)))
        return Request(line[0], line[1], headers, body, sock)
