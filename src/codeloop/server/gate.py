"""Who may speak to the page's server, and what browsers are told: before anything else is done."""

from collections.abc import Callable, Mapping
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from codeloop.server.checks import LOOPBACK, host_name, token_of
from codeloop.server.refusals import code_of
from codeloop.server.store.users import LOGIN_S, User, Users

COOKIE = "codeloop"
CSRF_HEADER = "x-codeloop"
_LOGIN = "login"
_SAFE = frozenset({"GET", "HEAD"})
_GUARDED = ("/api/", "/v1/", "/mcp", "/metrics")  # all else is the page, which holds no secret
_NAMED_BY_CONTENT = "/assets/"  # the page's files, as they are built
_PAGE_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; frame-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class PageGate:
    """Lets a request through to the app, or answers it. An ASGI application itself.

    It goes by the names in `hosts`, and those of loopback, so that no web page whose name was made
    to point here gets in. A request of another origin is refused, whatever it asks. The user is
    in `scope["state"]["user"]`. `log` is told of logins: user, action, what came of it.
    """

    def __init__(
        self,
        app: ASGIApp,
        users: Users,
        hosts: frozenset[str] = frozenset(),
        log: Callable[[int | None, str, str], None] = lambda *_: None,
    ) -> None:
        self._app = app
        self._users = users
        self._log = log
        self._hosts = hosts | LOOPBACK

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        send = _with_headers(send, scope["path"])
        answer = self._foreign(scope, headers) or self._log_in(scope)
        if answer is None:
            user, by_cookie = self._user(headers)
            answer = self._unknown(scope, headers, user, by_cookie=by_cookie)
            scope.setdefault("state", {})["user"] = user
        await (answer or self._app)(scope, receive, send)

    def _foreign(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the answer to a request that was made by a page of another place."""
        if host_name(headers.get("host", "")) not in self._hosts:
            return _refusal(421, "this server does not go by that name")
        origin = headers.get("origin")
        if origin is not None and origin != f"{scope['scheme']}://{headers['host']}":
            return _refusal(403, "a page of another origin may not ask")
        site = headers.get("sec-fetch-site", "none")
        opens_page = headers.get("sec-fetch-mode") == "navigate" and scope["path"] == "/"
        if site not in {"none", "same-origin"} and not (opens_page and scope["method"] in _SAFE):
            return _refusal(403, "a page of another site may not ask")
        return None

    def _log_in(self, scope: Scope) -> Response | None:
        """Return the answer to the login URL: a cookie of its own, and the page without token."""
        if scope["path"] != "/" or scope["method"] not in _SAFE:
            return None
        tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token")
        if not tokens:
            return None
        user = self._users.of_token(tokens[0])
        self._log(user.id if user else None, "login", "ok" if user else "refused")
        if user is None:
            return _refusal(401, "this login is not valid (any more)")
        response = RedirectResponse("/", 303)
        response.set_cookie(
            COOKIE,
            self._users.new_token(user, kind=_LOGIN, lasts_s=LOGIN_S),
            max_age=int(LOGIN_S),
            httponly=True,
            samesite="strict",
            secure=scope["scheme"] == "https",
        )
        return response

    def _user(self, headers: Headers) -> tuple[User | None, bool]:
        """Return whose request it is, and whether its cookie says so."""
        if "authorization" in headers:
            return self._users.of_token(token_of(headers["authorization"])), False
        cookie = _cookie(headers.get("cookie", ""))
        return (self._users.of_token(cookie) if cookie else None), True

    def _unknown(
        self, scope: Scope, headers: Headers, user: User | None, *, by_cookie: bool
    ) -> Response | None:
        """Return the answer to who may not ask what they ask."""
        if not scope["path"].startswith(_GUARDED):
            return None
        if user is None:
            response = _refusal(401, "log in by the URL that the server printed, or give a token")
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        if by_cookie and scope["method"] not in _SAFE and headers.get(CSRF_HEADER) != "1":
            return _refusal(403, f"a page's request needs the header {CSRF_HEADER}: 1")
        return None


def _cookie(header: str) -> str:
    for pair in header.split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def _refusal(status: int, text: str) -> Response:
    return JSONResponse({"error": {"code": code_of(status), "message": text}}, status)


def _with_headers(send: Send, path: str) -> Send:
    kept = (
        "public, max-age=31536000, immutable" if path.startswith(_NAMED_BY_CONTENT) else "no-store"
    )

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", kept if message["status"] < 400 else "no-store")  # noqa: PLR2004
        await send(message)

    return send_with_headers
