"""The protocol over HTTP, in its streamable form: a message a POST; a session is a container."""

from collections.abc import Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from codeloop.core.execution import MIB, ExecutionLimits, ExecutionResult, Isolation, WorkFile
from codeloop.server.chats.service import Chats
from codeloop.server.checks import read_body
from codeloop.server.endpoints import Asked, guarded
from codeloop.server.mcp.protocol import (
    PARSE_ERROR,
    VERSIONS,
    Json,
    answer,
    cancelled,
    is_request,
    parse,
    refused,
)
from codeloop.server.mcp.streams import status_of
from codeloop.server.openai.containers import Containers
from codeloop.server.openai.shelf import name_of
from codeloop.server.pressing import press
from codeloop.server.refusals import RefusalError
from codeloop.server.store.store import Chat

SESSION_HEADER, VERSION_HEADER = "mcp-session-id", "mcp-protocol-version"
_MESSAGE_BYTES = 8 * MIB
_WAIT_S = 10.0  # for the call before to end, as after it was cancelled
_WITHOUT_SESSION = frozenset({"ping", "server/discover"})


class ContainerInterpreter:
    """A container as a client's session; fulfils `tools.Interpreter`."""

    def __init__(
        self,
        containers: Containers,
        container: Chat,
        limits: ExecutionLimits,
        isolation: Isolation,
    ) -> None:
        self._containers = containers
        self._container = container
        self._limits = limits
        self._isolation = isolation

    @property
    def languages(self) -> frozenset[str]:
        return self._containers.session(self._container).languages

    def run(self, code: str, language: str) -> ExecutionResult:
        recording = self._containers.recording(self._container, lambda: True)
        with self._containers.using(self._container, wait_s=_WAIT_S):
            *_, result = recording.run(code, language=language, limits=self._limits)
        assert isinstance(result, ExecutionResult)  # noqa: S101  a run's last word
        return result

    def reset(self) -> None:
        self._containers.reset(self._container)

    def list_files(self) -> Sequence[WorkFile]:
        return self._containers.files(self._container)

    def read(self, path: str) -> bytes:
        return self._containers.read(self._container, path)

    def write(self, path: str, data: bytes) -> None:
        self._containers.put(self._container, path, data)

    def status(self) -> dict[str, Any]:
        return status_of(self.languages, self._limits, self._isolation)

    def interrupt(self) -> None:
        self._containers.interrupt(self._container)


def mcp_routes(chats: Chats, containers: Containers, isolation: Isolation) -> list[BaseRoute]:
    """Return the route of the protocol: `/mcp`."""
    act = _Act(containers, chats.parts.order.limits.run, isolation)

    async def post(request: Request) -> Response:
        data = await read_body(request, _MESSAGE_BYTES)
        asked = Asked(request.state.user, {}, request.query_params, {})
        headers = request.headers

        def answered(asked: Asked) -> Response:
            session = headers.get(SESSION_HEADER)
            return act.take(asked.user.id, data, session, headers.get(VERSION_HEADER))

        response: Response = await run_in_threadpool(guarded, answered, asked)
        return response

    async def end(request: Request) -> Response:
        asked = Asked(request.state.user, {}, request.query_params, {})
        session = request.headers.get(SESSION_HEADER, "")
        await run_in_threadpool(guarded, lambda each: act.end(each.user.id, session), asked)
        return Response(status_code=204)

    return [
        Route("/mcp", post, methods=["POST"]),
        Route("/mcp", end, methods=["DELETE"]),
    ]


class _Act:
    """Answers messages, each for the session that its header names."""

    def __init__(
        self, containers: Containers, limits: ExecutionLimits, isolation: Isolation
    ) -> None:
        self._containers = containers
        self._limits = limits
        self._isolation = isolation
        self._running: dict[tuple[str, str], bool] = {}  # requests, and whether cancelled

    def take(self, user: int, data: bytes, session: str | None, version: str | None) -> Response:
        """Return the answer to a POST.

        Raises:
            RefusalError: it has no session, or one that is not this user's.
        """
        try:
            message = parse(data)
        except ValueError as error:
            return JSONResponse(refused(None, PARSE_ERROR, str(error)), 400)
        method = message.get("method")
        if method == "initialize" and is_request(message):
            return self._open(user, message)
        if session is None and is_request(message) and method in _WITHOUT_SESSION:
            return JSONResponse(answer(message, None))
        if version is not None and version not in VERSIONS:
            raise RefusalError(400, f"{VERSION_HEADER}: there is {', '.join(VERSIONS)}")
        if session is None:
            raise RefusalError(400, f"{SESSION_HEADER}: initialize gives one")
        container = self._containers.find(user, session)
        interpreter = ContainerInterpreter(
            self._containers, container, self._limits, self._isolation
        )
        stopped = cancelled(message)
        key = container.id, repr(stopped)
        if stopped is not None and key in self._running:
            self._running[key] = True
            press(interpreter.interrupt, lambda: key not in self._running)
        if not is_request(message):
            return Response(status_code=202)
        return self._answer(message, interpreter, container.id)

    def _answer(self, message: Json, interpreter: ContainerInterpreter, container: str) -> Response:
        """Return the answer to a request; one that was cancelled meanwhile gets none."""
        key = container, repr(message["id"])
        self._running[key] = False
        try:
            answered = answer(message, interpreter)
        finally:
            stopped = self._running.pop(key, False)
        return Response(status_code=202) if stopped else JSONResponse(answered)

    def end(self, user: int, session: str) -> None:
        """Remove a session with all that is in it.

        Raises:
            RefusalError: there is none of that name, or something runs in it.
        """
        self._containers.delete(self._containers.find(user, session))

    def _open(self, user: int, message: Json) -> Response:
        container = self._containers.create(user, name="mcp")
        headers = {SESSION_HEADER: name_of(container)}
        return JSONResponse(answer(message, None), headers=headers)
