"""Who may speak to a node: checks of host, origin and token, before anything else is looked at."""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from codeloop.server.node.metrics import Metrics

OPEN_PATHS = frozenset({"/health", "/v1/ping"})  # a probe has no token
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
TYPES = frozenset({"application/json", "application/x-ndjson"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not let in."""

    status: int
    reason: str
    text: str


class Gate:
    """Lets a request through to the app, or answers it. An ASGI application itself.

    Without a token only loopback names are taken as host, so that no web page whose name was
    made to point here gets in; a page of another origin is refused in any case.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: frozenset[str], metrics: Metrics) -> None:
        self._app = app
        self._token = _digest(token) if token else b""
        self._hosts = hosts
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        self._metrics.refused.add(refusal.reason)
        headers = {"WWW-Authenticate": "Bearer"} if refusal.reason == "token" else {}
        response = JSONResponse({"detail": refusal.text}, refusal.status, headers)
        await response(scope, receive, send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers = Headers(scope=scope)
        host = _host_name(headers.get("host", ""))
        known = self._hosts or (frozenset() if self._token else LOOPBACK)
        if known and host not in known:
            return Refusal(421, "host", "this node does not go by that name")
        if "origin" in headers or headers.get("sec-fetch-site", "none") != "none":
            return Refusal(403, "origin", "a node serves programs, not pages")
        given = headers.get("authorization")
        free = not self._token or (given is None and scope["path"] in OPEN_PATHS)
        if not free and not hmac.compare_digest(_digest(_token_of(given)), self._token):
            return Refusal(401, "token", "the token is missing or wrong")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if scope["method"] == "POST" and kind not in TYPES:
            return Refusal(415, "type", f"send {' or '.join(sorted(TYPES))}")
        return None


async def read_body(request: Request, most_bytes: int) -> bytes:
    """Return the body of a request.

    Raises:
        HTTPException: it is larger than `most_bytes`, or did not come whole.
    """
    length = request.headers.get("content-length", "0")
    parts: list[bytes] = []
    room = most_bytes - (int(length) if length.isdecimal() else 0)
    if room >= 0:
        room = most_bytes
        try:
            async for part in request.stream():
                parts.append(part)
                room -= len(part)
                if room < 0:
                    break
        except ClientDisconnect as error:
            raise HTTPException(400, "the request did not come whole") from error
    if room < 0:
        raise HTTPException(413, f"a request may have {most_bytes} bytes")
    return b"".join(parts)


def _host_name(host: str) -> str:
    """Return the name in a Host header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _token_of(header: str | None) -> str:
    """Return the token in an Authorization header: of Bearer, or as the password of Basic.

    Clients that know of no token can be given a URL with one: http://any:TOKEN@host:port/.
    """
    scheme, _, value = (header or "").partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer":
        return value
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
