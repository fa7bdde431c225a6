"""The two requests as they come in over HTTP, and their answers."""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from codeloop.core.errors import DataError, SandboxError
from codeloop.server.checks import read_body
from codeloop.server.node.answers import until_gone
from codeloop.server.node.fusion.court import Court
from codeloop.server.node.fusion.fields import parse
from codeloop.server.node.fusion.running import describe, failure, parse_run
from codeloop.server.node.fusion.submitting import parse_submission
from codeloop.server.node.node import RETRY, Node

# verl asks again after this status and no other; the SDK of SandboxFusion after any.
_LATER = 504
_GONE = 499  # nobody reads it


def fusion_routes(node: Node, court: Court, *, body_bytes: int) -> list[Route]:
    """Return the routes of SandboxFusion's forms."""

    async def run_code(request: Request) -> Response:
        wanted = parse_run(parse(await read_body(request, body_bytes)))
        try:
            result = await _do(node, request, partial(node.run, wanted.program, form="run_code"))
        except SandboxError as error:
            return _answer(failure(str(error)))
        return _answer(describe(result, compiled=wanted.compiled))

    async def submit(request: Request) -> Response:
        submission = parse_submission(parse(await read_body(request, body_bytes)))
        try:
            return _answer(await _do(node, request, partial(court.judge, submission)))
        except SandboxError as error:
            raise HTTPException(500, str(error)) from error

    return [
        Route("/run_code", run_code, methods=["POST"]),
        Route("/submit", submit, methods=["POST"]),
    ]


async def _do(node: Node, request: Request, piece: Callable[[], Any]) -> Any:
    """Return what a piece of work comes to; it is dropped if the client goes before it began.

    Raises:
        HTTPException: the node takes no more now, or a file has no proper name.
        SandboxError: our sandbox failed.
    """
    (future,) = node.put([piece], full=_LATER, draining=_LATER)
    gone = asyncio.create_task(until_gone(request.receive))
    done = asyncio.wrap_future(future)
    with node.at_work():
        try:
            await asyncio.wait({done, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                raise HTTPException(_GONE, "the client hung up")
            if done.cancelled():
                raise HTTPException(_LATER, "this node is draining", RETRY)
            return done.result()
        except DataError as error:
            raise HTTPException(422, str(error)) from error
        finally:
            gone.cancel()
            done.cancel()


def _answer(facts: dict[str, Any]) -> Response:
    # as ASCII, since what a model wrote may hold half of a surrogate pair
    return Response(json.dumps(facts).encode("ascii"), media_type="application/json")
