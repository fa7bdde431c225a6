"""A chat's events as a stream that a browser reads: what is stored, then what comes."""

from collections import Counter
from collections.abc import AsyncGenerator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from codeloop.server.chats.journal import Journal
from codeloop.server.chats.service import Chats
from codeloop.server.endpoints import Endpoint
from codeloop.server.refusals import RefusalError
from codeloop.server.store.store import Store, StoredEvent

HEARTBEAT_S = 15.0
MOST_STREAMS = 256
_BATCH = 500


def events_endpoint(chats: Chats, store: Store, journal: Journal) -> Endpoint:
    """Return the endpoint of a chat's events: a stream, or with `wait=0` those that are there."""
    streams: Counter[int] = Counter()  # of each user

    async def answer(request: Request) -> Response:
        chat = chats.find(request.state.user.id, request.path_params["chat"])
        after = _number(request.headers.get("last-event-id") or request.query_params.get("after"))
        if request.query_params.get("wait") == "0":
            return JSONResponse(
                {"events": [_plain(each) for each in store.events(chat.id, after=after)]}
            )
        if streams[chat.user] >= MOST_STREAMS:
            raise RefusalError(429, f"a user may read {MOST_STREAMS} streams at once")
        stream = _stream(store, journal, chat.id, after)
        return StreamingResponse(
            _counted(stream, streams, chat.user),
            media_type="text/event-stream",
            headers={"X-Accel-Buffering": "no"},
        )

    return answer


async def _counted(
    stream: AsyncGenerator[str, None], streams: Counter[int], user: int
) -> AsyncGenerator[str, None]:
    streams[user] += 1
    try:
        async for text in stream:
            yield text
    finally:
        streams[user] -= 1
        await stream.aclose()


async def _stream(
    store: Store, journal: Journal, chat: str, after: int
) -> AsyncGenerator[str, None]:
    with journal.listen(chat) as listener:
        yield ": codeloop\n\n"
        while not journal.closed:
            events = store.events(chat, after=after, limit=_BATCH)
            if events:
                after = events[-1].seq
                yield "".join(map(_frame, events))
            if len(events) < _BATCH and not await listener.wait(HEARTBEAT_S):
                yield ": still here\n\n"


def _frame(event: StoredEvent) -> str:
    """Return an event as the stream has it; its JSON is one line, without line ends of any kind."""
    data = event.json.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f"id: {event.seq}\nevent: {event.type}\ndata: {data}\n\n"


def _plain(event: StoredEvent) -> dict[str, object]:
    return {"seq": event.seq, "at": event.at, "type": event.type, "data": event.data}


def _number(text: str | None) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):  # noqa: PLR2004  an SQLite integer
        raise RefusalError(400, "after: the number of an event is wanted")
    return int(text)
