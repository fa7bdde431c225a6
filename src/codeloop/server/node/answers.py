"""Answers to orders as a stream: each a line, as soon as it is known."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from starlette.types import Message, Receive, Scope, Send

from codeloop.core.errors import DataError, SandboxError
from codeloop.sandbox.remote.wire import CONTENT_TYPE, Answer, Order, encode_answer
from codeloop.server.node.kept import Run
from codeloop.server.node.node import Node

HEARTBEAT_S = 5.0  # a client that hears nothing for several of these takes the node for dead
_START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", CONTENT_TYPE.encode())],
}
_Pair = tuple[Order, Run]


class Answers:
    """An ASGI response. While nothing is known it sends blank lines; it ends if the client goes."""

    def __init__(self, node: Node, orders: Sequence[Order], runs: Sequence[Run]) -> None:
        self._node = node
        self._pairs = list(zip(orders, runs, strict=True))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(until_gone(receive))
        with self._node.at_work():
            try:
                await send(_START)
                await self._stream(send, gone)
            finally:
                gone.cancel()
                for order, run in self._pairs:
                    self._node.kept.let_go(order, run)

    async def _stream(self, send: Send, gone: "asyncio.Task[None]") -> None:
        loop = asyncio.get_running_loop()
        known: asyncio.Queue[_Pair] = asyncio.Queue()

        def tell(pair: _Pair, _: Run) -> None:
            loop.call_soon_threadsafe(known.put_nowait, pair)

        for pair in self._pairs:
            pair[1].add_done_callback(partial(tell, pair))
        left = len(self._pairs)
        while left and not gone.done():
            pairs = await _next(known, gone)
            left -= len(pairs)
            lines = b"".join([encode_answer(_answer(*pair)) for pair in pairs]) or b"\n"
            await send({"type": "http.response.body", "body": lines, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def until_gone(receive: Receive) -> None:
    """Return when the client has hung up; its request must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _next(known: "asyncio.Queue[_Pair]", gone: "asyncio.Task[None]") -> list[_Pair]:
    """Return all runs that have ended, waiting for one unless the client goes or it takes long."""
    first = asyncio.ensure_future(known.get())
    await asyncio.wait({first, gone}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
    if not first.done():
        first.cancel()
        return []
    pairs = [first.result()]
    while not known.empty():
        pairs.append(known.get_nowait())
    return pairs


def _answer(order: Order, run: Run) -> Answer:
    if run.cancelled():
        return Answer(order.id, returned=True)
    match run.exception():
        case None:
            return Answer(order.id, run.result())
        case SandboxError() as error:
            return Answer(order.id, broken=str(error))
        case DataError() as error:
            return Answer(order.id, refused=str(error))
        case error:
            logging.getLogger(__name__).error("a run failed", exc_info=error)
            return Answer(order.id, broken=f"the node failed: {error!r}")
