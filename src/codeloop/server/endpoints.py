"""Endpoints of plain functions: what is asked goes in as a record, what comes out is answered."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from codeloop.core.errors import CodeloopError, ConfigError, DataError, UnavailableError
from codeloop.core.execution import MIB
from codeloop.server.checks import read_body
from codeloop.server.refusals import RefusalError, code_of
from codeloop.server.store.users import User

BODY_BYTES = 4 * MIB
YES = frozenset({"1", "true", "yes"})  # of a query
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a function is handed it; `body` is what its JSON holds."""

    user: User
    path: Mapping[str, str]
    query: QueryParams
    body: Mapping[str, Any]

    def text(self, name: str, default: Any = _MISSING, *, most: int = 1_000_000) -> Any:
        """Return a text of the body.

        Raises:
            RefusalError: it is missing and has no default, is no text, or is too long.
        """
        value = self.body.get(name, default)
        if value is default and default is not _MISSING:
            return default
        if not isinstance(value, str) or len(value) > most:
            raise RefusalError(400, f"{name}: a text of at most {most} characters is wanted")
        return value

    def texts(self, name: str, *, most: int = 64) -> list[str]:
        """Return a list of texts of the body; empty if it is missing.

        Raises:
            RefusalError: it is something else, or too long.
        """
        value = self.body.get(name, [])
        proper = isinstance(value, list) and all(isinstance(each, str) for each in value)
        if not proper or len(value) > most:
            raise RefusalError(400, f"{name}: a list of at most {most} texts is wanted")
        return list(value)

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        """Return a whole number of the body, or of the query.

        Raises:
            RefusalError: it is none, or out of bounds.
        """
        value = self.body.get(name, self.query.get(name, default))
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 16:  # noqa: PLR2004
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise RefusalError(400, f"{name}: a number from {least} to {most} is wanted")
        return value

    def asks(self, name: str) -> bool:
        """Return whether the query says yes to something."""
        return self.query.get(name) in YES

    def flag(self, name: str, *, default: bool) -> bool:
        """Return yes or no of the body.

        Raises:
            RefusalError: it is neither.
        """
        value = self.body.get(name, default)
        if not isinstance(value, bool):
            raise RefusalError(400, f"{name}: true or false is wanted")
        return value


Endpoint = Callable[[Request], Awaitable[Response]]


def endpoint(act: Callable[[Asked], Any], *, status: int = 200) -> Endpoint:
    """Return the endpoint that answers with what a function returns: JSON, or a response.

    The function runs on a thread. Errors of ours become the status that fits.
    """

    async def answer(request: Request) -> Response:
        asked = await asked_of(request)
        answered = await run_in_threadpool(guarded, act, asked)
        return answered if isinstance(answered, Response) else JSONResponse(answered, status)

    return answer


async def asked_of(request: Request) -> Asked:
    """Return what a request asks.

    Raises:
        HTTPException: its body is no JSON object, or too long.
    """
    body: dict[str, Any] = {}
    if request.method not in {"GET", "HEAD", "DELETE"}:
        body = _object(await read_body(request, BODY_BYTES), request)
    return Asked(request.state.user, request.path_params, request.query_params, body)


def guarded(act: Callable[[Asked], Any], asked: Asked) -> Any:
    """Call a function of a request; its errors become refusals.

    Raises:
        RefusalError: the request cannot be answered as it asks.
    """
    try:
        return act(asked)
    except (ConfigError, DataError) as error:
        raise RefusalError(400, str(error)) from error
    except UnavailableError as error:
        raise RefusalError(429, str(error)) from error
    except CodeloopError as error:
        raise RefusalError(503, str(error)) from error


async def refuse(_: Request, error: Exception) -> Response:
    """Answer with an error, as JSON."""
    assert isinstance(error, HTTPException)  # noqa: S101  registered for nothing else
    code = error.code if isinstance(error, RefusalError) else code_of(error.status_code)
    told = {"error": {"code": code, "message": str(error.detail)}}
    return JSONResponse(told, error.status_code, error.headers)


def _object(data: bytes, request: Request) -> dict[str, Any]:
    if not data:
        return {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusalError(415, "send application/json")
    return json_object(data)


def json_object(data: bytes) -> dict[str, Any]:
    """Return a body as a JSON object.

    Raises:
        RefusalError: it is none, or holds what could not be sent back.
    """
    try:
        body = json.loads(data)
        # what cannot be sent back is not taken: a lone surrogate, a number without end
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise RefusalError(400, "the body is no JSON") from error
    if not isinstance(body, dict):
        raise RefusalError(400, "the body is no JSON object")
    return body
