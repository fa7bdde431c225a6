"""The ASGI application of a node: its own form of orders, its health, its counts."""

from importlib import metadata

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from codeloop.core.execution import MIB
from codeloop.sandbox.remote.wire import PATH
from codeloop.server.checks import read_body
from codeloop.server.node import metrics
from codeloop.server.node.answers import Answers
from codeloop.server.node.fusion.court import Court
from codeloop.server.node.fusion.handlers import fusion_routes
from codeloop.server.node.gate import Gate
from codeloop.server.node.node import Node
from codeloop.server.node.orders import parse_orders

BODY_BYTES = 64 * MIB


def make_app(node: Node, *, token: str = "", hosts: frozenset[str] = frozenset()) -> ASGIApp:
    """Return the application; `token` lets clients in, `hosts` are names it may be called by."""

    async def take_orders(request: Request) -> Answers:
        orders = parse_orders(await read_body(request, BODY_BYTES))
        return Answers(node, orders, node.begin(orders))

    async def tell_health(_: Request) -> Response:
        facts = {
            "status": node.state,
            "version": metadata.version("codeloop"),
            "slots": node.backlog.threads,
            "room": node.backlog.room,
            "running": node.backlog.running,
            "waiting": node.backlog.waiting,
        }
        return JSONResponse(facts, 200 if node.state == "ok" else 503)

    async def tell_counts(_: Request) -> Response:
        backlog = node.backlog
        gauges = {
            "slots": backlog.threads,
            "running": backlog.running,
            "waiting": backlog.waiting,
            "room": backlog.room,
        }
        return Response(node.metrics.page(gauges), media_type=metrics.CONTENT_TYPE)

    async def ping(_: Request) -> Response:
        return PlainTextResponse('"pong"', media_type="application/json")

    async def refuse(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  registered for nothing else
        return JSONResponse({"detail": error.detail}, error.status_code, error.headers)

    routes = [
        Route(PATH, take_orders, methods=["POST"]),
        Route("/health", tell_health),
        Route("/metrics", tell_counts),
        Route("/v1/ping", ping),
        *fusion_routes(node, Court(node), body_bytes=BODY_BYTES),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: refuse})
    return Gate(app, token, hosts, node.metrics)
