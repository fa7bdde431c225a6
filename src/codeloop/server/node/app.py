"""The ASGI application of a node: its own form of orders, its health, its counts."""

from dataclasses import fields
from importlib import metadata

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from codeloop.core.execution import MIB, ExecutionLimits
from codeloop.sandbox.remote.wire import PATH, Order, decode_order
from codeloop.server.node import metrics
from codeloop.server.node.answers import Answers
from codeloop.server.node.gate import Gate, read_body
from codeloop.server.node.node import Node

BODY_BYTES = 64 * MIB
CEILING = ExecutionLimits(
    cpu_s=3600.0,
    wall_s=3600.0,
    memory_bytes=64 * 1024 * MIB,
    processes=4096,
    disk_bytes=16 * 1024 * MIB,
    files=1_000_000,
    open_files=65_536,
    output_bytes=16 * MIB,
    output_stop_bytes=1024 * MIB,
)


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
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: refuse})
    return Gate(app, token, hosts, node.metrics)


def parse_orders(body: bytes) -> list[Order]:
    """Return the orders of a body, one a line.

    Raises:
        HTTPException: with status 400 a line holds none, asks for too much, or repeats an id.
    """
    orders: dict[str, Order] = {}
    for number, line in enumerate(body.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            order = decode_order(line)
            _check(order)
        except ValueError as error:
            raise HTTPException(400, f"line {number}: {error}") from error
        if order.id in orders:
            raise HTTPException(400, f"line {number}: the id {order.id!r} is there twice")
        orders[order.id] = order
    return list(orders.values())


def _check(order: Order) -> None:
    for field in fields(ExecutionLimits):
        value, most = getattr(order.program.limits, field.name), getattr(CEILING, field.name)
        if not 0 <= value <= most:
            msg = f"{field.name} is {value}; this node gives 0 to {most}"
            raise ValueError(msg)
