"""The routes below `/v1`: models, chat completions, responses."""

from collections.abc import AsyncIterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from codeloop.server.chats.service import Chats
from codeloop.server.endpoints import Asked, asked_of, endpoint, guarded
from codeloop.server.openai.completions import LOOP, Completions, new_completion
from codeloop.server.openai.containers import Containers
from codeloop.server.openai.conversations import Conversations, conversation_routes
from codeloop.server.openai.responses import Responses, shown
from codeloop.server.openai.running import Running, Said, as_data, as_stream
from codeloop.server.openai.shelf import Shelf, listed
from codeloop.server.openai.storage import storage_routes
from codeloop.server.refusals import RefusalError

_STREAM = "text/event-stream"
_UNBUFFERED = {"X-Accel-Buffering": "no"}


def openai_routes(chats: Chats, shelf: Shelf, containers: Containers) -> list[BaseRoute]:
    """Return the routes of OpenAI's forms."""
    conversations = Conversations(shelf)
    responses = _Responses(Responses(chats, shelf, containers, conversations))
    one = "/v1/responses/{response}"
    return [
        *_model_routes(chats),
        Route("/v1/chat/completions", _completing(Completions(chats.parts)), methods=["POST"]),
        Route("/v1/responses", responses.create, methods=["POST"]),
        Route(one, responses.show),
        Route(one, endpoint(responses.delete), methods=["DELETE"]),
        Route(f"{one}/cancel", endpoint(responses.cancel), methods=["POST"]),
        Route(f"{one}/input_items", endpoint(responses.input_items)),
        *conversation_routes(conversations),
        *storage_routes(chats, shelf, containers),
    ]


def _model_routes(chats: Chats) -> list[BaseRoute]:
    names = chats.parts.models.names
    known = [name for each in names for name in (each, f"{each}{LOOP}")]

    def tell(name: str) -> Said:
        return {"id": name, "object": "model", "created": 0, "owned_by": "codeloop"}

    def tell_all(_: Asked) -> Any:
        return {"object": "list", "data": [tell(name) for name in known]}

    def tell_one(asked: Asked) -> Any:
        name = asked.path["model"]
        if name not in known:
            raise RefusalError(404, f"no model {name!r} here", "model_not_found")
        return tell(name)

    return [
        Route("/v1/models", endpoint(tell_all)),
        Route("/v1/models/{model:path}", endpoint(tell_one)),
    ]


def _completing(completions: Completions) -> Any:
    async def complete(request: Request) -> Response:
        asked = await asked_of(request)

        def start(asked: Asked) -> Running:
            return completions.start(new_completion(asked.user.id, asked.body))

        running = await run_in_threadpool(guarded, start, asked)
        if asked.body.get("stream") is True:
            stream = as_stream(running, named=False, stops=True)
            return StreamingResponse(stream, media_type=_STREAM, headers=_UNBUFFERED)
        said = [each async for each in running.follow()]
        if not said:
            raise RefusalError(503, "stopped")
        return JSONResponse(said[-1], 503 if "error" in said[-1] else 200)

    return complete


class _Responses:
    """What each route of responses does."""

    def __init__(self, responses: Responses) -> None:
        self._responses = responses

    async def create(self, request: Request) -> Response:
        asked = await asked_of(request)
        include = _include(asked.body.get("include"))

        def start(asked: Asked) -> tuple[Running, Said]:
            return self._responses.start(asked.user.id, asked.body)

        running, begun = await run_in_threadpool(guarded, start, asked)
        in_background = asked.body.get("background") is True
        if asked.body.get("stream") is True:
            stream = _shown_stream(running, include, stops=not in_background)
            return StreamingResponse(stream, media_type=_STREAM, headers=_UNBUFFERED)
        if in_background:
            return JSONResponse(begun)
        said = [each async for each in running.follow()]
        if not said:
            raise RefusalError(503, "stopped before it began")
        return JSONResponse(shown(said[-1]["response"], include))

    async def show(self, request: Request) -> Response:
        """Answer with a response as it is; with `stream`, with what it says after an event."""
        asked = await asked_of(request)
        user, name, include = asked.user.id, asked.path["response"], _included(asked)
        if not asked.asks("stream"):
            find = self._responses.find
            found = await run_in_threadpool(guarded, lambda _: find(user, name), asked)
            return JSONResponse(shown(found, include))
        after = asked.number("starting_after", -1, least=-1, most=10**9)
        again = self._responses.again
        running = await run_in_threadpool(guarded, lambda _: again(user, name), asked)
        stream = _shown_stream(running, include, stops=False, after=after)
        return StreamingResponse(stream, media_type=_STREAM, headers=_UNBUFFERED)

    def delete(self, asked: Asked) -> Any:
        name = asked.path["response"]
        self._responses.delete(asked.user.id, name)
        return {"id": name, "object": "response", "deleted": True}

    def cancel(self, asked: Asked) -> Any:
        return shown(self._responses.cancel(asked.user.id, asked.path["response"]), ())

    def input_items(self, asked: Asked) -> Any:
        items = self._responses.input_items(asked.user.id, asked.path["response"])
        return listed(items, more=False)


async def _shown_stream(
    running: Running, include: list[str], *, stops: bool, after: int = -1
) -> AsyncIterator[str]:
    try:
        async for said in running.follow():
            if said["sequence_number"] > after:
                yield f"event: {said['type']}\ndata: {as_data(shown(said, include))}\n\n"
    finally:
        if stops and not running.ended:
            running.stop()


def _include(value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise RefusalError(400, "include: a list of texts is wanted")
    return value


def _included(asked: Asked) -> list[str]:
    return [*asked.query.getlist("include"), *asked.query.getlist("include[]")]
