"""The OpenAPI document says what the server does, no more and no less."""

import re

import pytest
from page_server import StartPage
from starlette.routing import Route

pytestmark = pytest.mark.jail


def test_every_route_of_our_own_is_in_the_document_and_every_one_there_is_a_route(
    start: StartPage,
) -> None:
    server = start()
    document = server.client.get("/api/openapi.json").json
    told = {(method.upper(), path) for path, each in document["paths"].items() for method in each}
    starlette = server.server.config.app._app  # type: ignore[union-attr]
    there = {
        (method, re.sub(r":\w+}", "}", route.path))
        for route in starlette.routes
        if isinstance(route, Route) and not route.path.startswith(("/v1/", "/mcp"))
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert told == there


def test_a_method_that_is_not_told_is_refused(start: StartPage) -> None:
    client = start().client
    for path in client.get("/api/openapi.json").json["paths"]:
        answer = client.ask("TRACE", path.replace("{", "").replace("}", ""))
        assert answer.status == 405, path
        assert answer.json["error"]["code"] == "method_not_allowed"
