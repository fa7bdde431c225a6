"""HTTP with one node: its health, and batches of orders."""

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3 import BaseHTTPResponse, HTTPResponse

from codeloop.core.errors import ConfigError, SandboxError
from codeloop.core.execution import MIB
from codeloop.sandbox.remote.wire import (
    CONTENT_TYPE,
    PATH,
    Answer,
    Order,
    decode_answer,
    encode_order,
)

_OK, _FULL, _DRAINING = 200, 429, 503
_CONNECT_S = 5.0
_SILENCE_S = 20.0  # four heartbeats of a node
_LOOK_S = 5.0
_READ_BYTES = 64 * 1024
_LINE_BYTES = 256 * MIB  # of the longest answer that is taken
_MAX_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Size:
    """How many programs a node runs at once, and how many may wait there."""

    slots: int
    room: int


@dataclass(frozen=True, slots=True)
class Busy:
    """The node took none of the orders; it is to be asked again after so many seconds."""

    pause_s: float
    draining: bool  # and is about to end


class Link:
    """Connections to one node, for several threads. Errors of HTTP become `SandboxError`."""

    def __init__(self, url: str, token: str, *, connections: int) -> None:
        try:
            parts = urllib3.util.parse_url(url)
        except urllib3.exceptions.LocationParseError as error:
            msg = f"{url!r} is not the URL of a node"
            raise ConfigError(msg) from error
        if parts.scheme not in {"http", "https"} or not parts.host:
            msg = f"{url!r} is not the URL of a node; one looks like http://host:8900"
            raise ConfigError(msg)
        self.name = f"{parts.host}:{parts.port or parts.scheme}"
        self._prefix = (parts.path or "").rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = urllib3.connection_from_url(
            url,
            maxsize=connections,
            retries=False,
        )
        self._open: set[BaseHTTPResponse] = set()
        self._closed = False

    def look(self) -> Size:
        """Return the size of the node, which is well.

        Raises:
            SandboxError: it does not answer, or is not well.
        """
        with self._request("GET", "/health", timeout_s=_LOOK_S) as response:
            facts = _facts(response)
            sizes = [facts.get("slots"), facts.get("room")]
            slots, room = (each if type(each) is int else 0 for each in sizes)
            if response.status != _OK or slots < 1 or room < 1:
                raise SandboxError(self._complaint(response.status, facts))
            return Size(slots, room)

    def send(self, orders: Sequence[Order]) -> Generator[Answer | Busy | None, None, None]:
        """Yield the answers to orders as they come, and None for each sign of life between.

        Closing the generator hangs up. It may end before all is answered.

        Raises:
            SandboxError: the node did not take the orders, or fell silent.
        """
        body = b"".join(map(encode_order, orders))
        with self._request("POST", PATH, body) as response:
            if response.status in {_FULL, _DRAINING}:
                yield Busy(_pause_s(response), draining=response.status == _DRAINING)
                return
            if response.status != _OK:
                raise SandboxError(self._complaint(response.status, _facts(response)))
            try:
                for line in _lines(response):
                    yield decode_answer(line) if line.strip() else None
            except (urllib3.exceptions.HTTPError, OSError) as error:
                msg = f"node {self.name} broke off: {error}"
                raise SandboxError(msg) from error
            except ValueError as error:
                msg = f"node {self.name} does not speak as a node does: {error}"
                raise SandboxError(msg) from error

    def close(self) -> None:
        """Cut all connections; whoever still reads from one sees its end."""
        self._closed = True
        for response in list(self._open):
            if isinstance(response, HTTPResponse):
                with suppress(Exception):  # it has ended meanwhile
                    response.shutdown()
        self._http.close()

    @contextmanager
    def _request(
        self, method: str, path: str, body: bytes = b"", *, timeout_s: float = _SILENCE_S
    ) -> Iterator[BaseHTTPResponse]:
        """Send a request; yield its answer once its head is here, and let it go afterwards."""
        headers = self._headers | ({"Content-Type": CONTENT_TYPE} if body else {})
        try:
            response = self._http.request(
                method,
                self._prefix + path,
                body=body or None,
                headers=headers,
                redirect=False,
                timeout=urllib3.Timeout(connect=_CONNECT_S, read=timeout_s),
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            msg = f"node {self.name} cannot be reached: {error}"
            raise SandboxError(msg) from error
        self._open.add(response)
        try:
            if self._closed:  # it came after `close` had looked
                msg = f"the connections to node {self.name} are closed"
                raise SandboxError(msg)
            yield response
        finally:
            self._open.discard(response)
            response.close()  # cuts the connection, unless all was read and it was given back
            response.release_conn()

    def _complaint(self, status: int, facts: dict[str, Any]) -> str:
        text = facts.get("detail") or facts.get("status") or "it does not look like a node"
        return f"node {self.name} answers {status}: {text}"


def _lines(response: BaseHTTPResponse) -> Iterator[bytes]:
    """Yield the lines of a body as they come."""
    rest = b""
    for piece in response.stream(_READ_BYTES):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
        if len(rest) > _LINE_BYTES:
            msg = "an answer is too long"
            raise ValueError(msg)
    if rest:
        yield rest


def _facts(response: BaseHTTPResponse) -> dict[str, Any]:
    try:
        facts = json.loads(response.read(_READ_BYTES))
    except (urllib3.exceptions.HTTPError, OSError, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _pause_s(response: BaseHTTPResponse) -> float:
    text = response.headers.get("Retry-After", "")
    return min(float(text), _MAX_PAUSE_S) if text.isdecimal() else 1.0
