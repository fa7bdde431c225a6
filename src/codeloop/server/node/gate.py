"""Who may speak to a node: checks of host, origin and token, before anything else is looked at."""

import hmac
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from codeloop.server.checks import LOOPBACK, digest, host_name, token_of
from codeloop.server.node.metrics import Metrics

OPEN_PATHS = frozenset({"/health", "/v1/ping"})  # a probe has no token
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
        self._token = digest(token) if token else b""
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
        host = host_name(headers.get("host", ""))
        known = self._hosts or (frozenset() if self._token else LOOPBACK)
        if known and host not in known:
            return Refusal(421, "host", "this node does not go by that name")
        if "origin" in headers or headers.get("sec-fetch-site", "none") != "none":
            return Refusal(403, "origin", "a node serves programs, not pages")
        given = headers.get("authorization")
        free = not self._token or (given is None and scope["path"] in OPEN_PATHS)
        if not free and not hmac.compare_digest(digest(token_of(given)), self._token):
            return Refusal(401, "token", "the token is missing or wrong")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if scope["method"] == "POST" and kind not in TYPES:
            return Refusal(415, "type", f"send {' or '.join(sorted(TYPES))}")
        return None
