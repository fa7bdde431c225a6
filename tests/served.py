"""A node with a pool of fakes that listens on loopback, for tests of both sides of the wire."""

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import urllib3
from fakes import ok

from codeloop.core.errors import SandboxError
from codeloop.core.execution import ExecutionResult, RigPrograms
from codeloop.core.protocols import Rig
from codeloop.sandbox.pool import Program
from codeloop.sandbox.remote.wire import Answer, Order, decode_answer, encode_order
from codeloop.server.node.app import make_app
from codeloop.server.node.node import Node
from codeloop.server.node.service import Service, listen

JSON = {"Content-Type": "application/json"}


@dataclass
class FakePool:
    """Runs nothing: gives back the code as output, once `gate` is open; raises what it is told."""

    gate: threading.Event = field(default_factory=threading.Event)
    errors: dict[str, Exception] = field(default_factory=dict)
    ran: list[Program] = field(default_factory=list)
    results: dict[str, ExecutionResult] = field(default_factory=dict)
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def run(self, program: Program) -> ExecutionResult:
        self.ran.append(program)
        self.begun.release()
        assert self.gate.wait(60)
        if program.code in self.errors:
            raise self.errors[program.code]
        return self.results.get(program.code, ok(program.code))

    def open_rig(self, programs: RigPrograms) -> Rig:
        msg = "there are no rigs among fakes"
        raise SandboxError(msg)


@dataclass
class Served:
    """A node that listens, and a client of it."""

    pool: FakePool
    node: Node
    service: Service
    http: urllib3.HTTPConnectionPool

    def post(self, path: str, body: bytes | dict[str, Any], **headers: str) -> Any:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        return self.http.request("POST", path, body=data, headers={**JSON, **headers})

    def counts(self) -> str:
        """Return the page of metrics."""
        page: bytes = self.http.request("GET", "/metrics").data
        return page.decode()

    def die(self) -> None:
        """Cut all connections and close the port, as if the process had been killed."""
        server = self.service._server
        loop = server.servers[0].get_loop()

        def hush() -> None:
            loop.remove_reader(self.service._listener)
            self.service._listener.shutdown(socket.SHUT_RDWR)
            cut()

        def cut() -> None:
            for connection in list(server.server_state.connections):
                connection.transport.abort()
            loop.call_later(0.01, cut)  # what was just accepted is not in the list yet

        loop.call_soon_threadsafe(hush)

    def close(self) -> None:
        self.pool.gate.set()
        self.http.close()
        self.service.stop()

    def order(self, *pairs: tuple[str, str]) -> dict[str, Answer]:
        """Order codes under ids; return the answers by id."""
        answer = self.post("/v1/runs", orders(*pairs))
        assert answer.status == 200, answer.data
        lines = [line for line in answer.data.splitlines() if line]
        return {each.id: each for each in map(decode_answer, lines)}


def orders(*pairs: tuple[str, str]) -> bytes:
    return b"".join(encode_order(Order(id_, Program(code))) for id_, code in pairs)


Serve = Callable[..., Served]


def start(*, slots: int = 2, room: int = 8, is_open: bool = True, **options: Any) -> Served:
    """Start a node whose pool holds its runs back unless it is open."""
    pool = FakePool()
    if is_open:
        pool.gate.set()
    node = Node(pool, slots=slots, room=room)
    service = Service(make_app(node, **options), node, listen("127.0.0.1", 0))
    service.start()
    http = urllib3.HTTPConnectionPool(
        "127.0.0.1", service.port, maxsize=8, retries=False, timeout=60
    )
    return Served(pool, node, service, http)
