"""Nodes of fakes, and pools over them, closed when a test is done with them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from served import Serve, Served, start

from codeloop.sandbox.remote import RemotePool, open_nodes

Join = Callable[..., RemotePool]


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def serve(opened: ExitStack) -> Serve:
    def serve_one(**options: Any) -> Served:
        served = start(**options)
        opened.callback(served.close)
        return served

    return serve_one


@pytest.fixture
def join(opened: ExitStack) -> Join:
    def join_all(*nodes: Served, token: str = "") -> RemotePool:
        urls = [f"http://127.0.0.1:{node.service.port}" for node in nodes]
        return opened.enter_context(open_nodes(urls, token=token))

    return join_all
