"""A node that listens: an HTTP server in a thread, until it is stopped and has drained."""

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from codeloop.core.errors import ConfigError, SandboxError
from codeloop.server.node.node import Node

_CONNECTIONS = 2048
_KEEP_ALIVE_S = 75
_LAST_BYTES_S = 5  # for answers to arrive once all work is done
_POLL_S = 0.02


class Service:
    """Serves a node in a thread of its own, so that signals are left to the main thread."""

    def __init__(self, app: ASGIApp, node: Node, listener: socket.socket) -> None:
        self.port: int = listener.getsockname()[1]
        self._node = node
        self._listener = listener
        self._drain: Callable[[], object] = lambda: None
        self._ready = threading.Event()
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                lifespan="off",
                access_log=False,
                log_level="warning",
                server_header=False,
                limit_concurrency=_CONNECTIONS,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_LAST_BYTES_S,
            )
        )
        self._thread = threading.Thread(target=self._run, name="node", daemon=True)

    def start(self) -> None:
        """Return once requests are answered.

        Raises:
            SandboxError: the server ended at once.
        """
        self._thread.start()
        self._ready.wait()
        if not self._server.started:
            msg = "the HTTP server did not start"
            raise SandboxError(msg)

    def drain(self) -> None:
        """Begin to end: refuse new work, answer what runs; may be called by a signal handler."""
        with suppress(RuntimeError):  # the loop is closed: it has ended already
            self._drain()

    def wait(self) -> None:
        """Return when the node has drained and its port is closed."""
        self._thread.join()
        self._node.backlog.close()

    def stop(self) -> None:
        """Drain, and wait until that is done."""
        self.drain()
        self.wait()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        self._drain = lambda: loop.call_soon_threadsafe(stopping.set)
        serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        while not (self._server.started or serving.done()):  # noqa: ASYNC110  uvicorn has no event
            await asyncio.sleep(_POLL_S)
        self._ready.set()
        stopped = asyncio.create_task(stopping.wait())
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        self._node.drain()
        await self._node.idle.wait()
        self._server.should_exit = True
        await serving


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises:
        ConfigError: the address cannot be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        msg = f"cannot listen at {host}:{port}: {error.strerror or error}"
        raise ConfigError(msg) from error
    # What is accepted inherits it. asyncio leaves it unset: it takes the socket for no TCP, since
    # its protocol number is 0; the body of an answer then waits 40 ms for its head to be told of.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
