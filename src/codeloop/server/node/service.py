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
    """Serves a node. Signals are left to the main thread, which calls `stop`."""

    def __init__(self, app: ASGIApp, node: Node, listener: socket.socket) -> None:
        self.port: int = listener.getsockname()[1]
        self._node = node
        self._listener = listener
        self._stop: Callable[[], object] = lambda: None
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

    def stop(self) -> None:
        """Refuse new work; return when what is running has been answered and the port is closed."""
        with suppress(RuntimeError):  # the loop is closed: it has stopped already
            self._stop()
        self._thread.join()
        self._node.backlog.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        self._stop = lambda: loop.call_soon_threadsafe(stopping.set)
        serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        while not (self._server.started or serving.done()):
            await asyncio.sleep(_POLL_S)
        self._ready.set()
        stopped = asyncio.create_task(stopping.wait())
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        self._node.drain()
        while self._node.requests:
            await asyncio.sleep(_POLL_S)
        self._server.should_exit = True
        await serving


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises:
        ConfigError: the address cannot be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        msg = f"cannot listen at {host}:{port}: {error.strerror or error}"
        raise ConfigError(msg) from error
