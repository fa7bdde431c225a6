"""The ASGI application behind the page: its API, its files, its gate."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from codeloop.core.execution import Isolation
from codeloop.server.chats.routes import chat_routes
from codeloop.server.chats.service import Chats
from codeloop.server.counting import counting_routes
from codeloop.server.endpoints import Asked, endpoint, refuse
from codeloop.server.gate import PageGate
from codeloop.server.mcp.routes import mcp_routes
from codeloop.server.openai.containers import Containers
from codeloop.server.openai.routes import openai_routes
from codeloop.server.openai.shelf import Shelf
from codeloop.server.openapi import openapi
from codeloop.server.rating.compares import compare_routes
from codeloop.server.rating.routes import data_routes

STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page is told of the server it speaks to."""

    isolation: Isolation
    languages: tuple[str, ...]


def create_app(
    chats: Chats,
    facts: Facts,
    *,
    hosts: frozenset[str] = frozenset(),
    more: Sequence[BaseRoute] = (),
) -> ASGIApp:
    """Return the application; `hosts` are names it goes by beside those of loopback.

    `more` are routes of other forms, behind the same gate.
    """
    parts = chats.parts
    shelf = Shelf(parts.store)
    containers = Containers(chats, shelf)

    def tell_state(asked: Asked) -> Any:
        limits = parts.order.limits
        return {
            "version": metadata.version("codeloop"),
            "user": asked.user.name,
            "models": list(parts.models.names),
            "default_model": parts.models.default,
            "isolation": facts.isolation.value,
            "languages": list(facts.languages),
            "limits": {
                "turns": limits.turns,
                "seconds": limits.seconds,
                "wall_s": limits.run.wall_s,
                "cpu_s": limits.run.cpu_s,
                "memory_bytes": limits.run.memory_bytes,
            },
        }

    def tell_models(_: Asked) -> Any:
        default = parts.models.default
        return {
            "models": [{"name": each, "default": each == default} for each in parts.models.names]
        }

    async def tell_health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    routes: list[BaseRoute] = [
        Route("/healthz", tell_health),
        Route("/readyz", tell_health),
        Route("/api/state", endpoint(tell_state)),
        Route("/api/models", endpoint(tell_models)),
        Route("/api/openapi.json", endpoint(lambda _: openapi())),
        *chat_routes(chats),
        *openai_routes(chats, shelf, containers),
        *mcp_routes(chats, containers, facts.isolation),
        *counting_routes(chats),
        *compare_routes(chats),
        *data_routes(chats),
        *more,
        Mount("/", StaticFiles(directory=STATIC, html=True)),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: refuse})
    app.state.chats = chats
    return PageGate(app, parts.store.users, hosts, parts.store.log)
