"""Nodes of fakes, stopped when a test is done with them."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from served import Serve, Served, start


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return what starts a node; all are stopped in the end."""
    opened: list[Served] = []

    def serve_one(**options: Any) -> Served:
        opened.append(start(**options))
        return opened[-1]

    yield serve_one
    for each in opened:
        each.close()


@pytest.fixture
def connect() -> Iterator[Callable[[Served], socket.socket]]:
    """Return what opens a bare connection to a node."""
    sockets: list[socket.socket] = []

    def open_one(served: Served) -> socket.socket:
        sockets.append(socket.create_connection(("127.0.0.1", served.service.port), timeout=60))
        return sockets[-1]

    yield open_one
    for each in sockets:
        each.close()
