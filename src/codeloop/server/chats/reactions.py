"""What a person makes of a chat: ratings of its turns and cells, and branches of it."""

from typing import Any

from starlette.routing import BaseRoute, Route

from codeloop.server.chats.mending import mend_chat
from codeloop.server.chats.service import Chats
from codeloop.server.endpoints import Asked, endpoint
from codeloop.server.refusals import RefusalError, no_such
from codeloop.server.store.store import Chat

_THUMBS = ("up", "down", None)
_BRANCHED = "the branch begins here"


def reaction_routes(chats: Chats) -> list[BaseRoute]:
    """Return the routes of ratings and branches."""
    one = "/api/chats/{chat}"

    def rate(asked: Asked) -> Any:
        chat = chats.find(asked.user.id, asked.path["chat"])
        target, thumb = asked.text("target", most=64), asked.body.get("thumb")
        story = chats.story(chat.id)
        if target not in story.cells and target not in story.turn_ids:
            raise no_such("target")
        if thumb not in _THUMBS:
            raise RefusalError(400, "thumb: up, down or null")
        data = {
            "target": target,
            "thumb": thumb,
            "reasons": asked.texts("reasons", most=16),
            "comment": asked.text("comment", "", most=20_000),
            "preferred": asked.text("preferred", None, most=200_000),
        }
        chats.parts.journal.write(chat.id, "rating.given", data)
        return data

    def split(asked: Asked) -> Any:
        chat = chats.find(asked.user.id, asked.path["chat"])
        until = asked.number("seq", chat.last_seq, least=0, most=chat.last_seq)
        return chats.describe(branch(chats, chat, until=until, model=chat.model))

    return [
        Route(f"{one}/ratings", endpoint(rate), methods=["POST"]),
        Route(f"{one}/branch", endpoint(split, status=201), methods=["POST"]),
    ]


def branch(chats: Chats, chat: Chat, *, until: int, model: str, kind: str = "chat") -> Chat:
    """Return a new chat that begins as a chat did, up to one of its events.

    Its session is built from its own cells, so that what happens in one changes nothing in the
    other.
    """
    store, journal = chats.parts.store, chats.parts.journal
    settings = {name: each for name, each in chat.settings.items() if name != "alias"}
    title = f"{chat.title} (branch)" if chat.title else ""
    new = store.create_chat(chat.user, model=model, title=title, settings=settings, kind=kind)
    store.copy_events(chat.id, new.id, until=until)
    journal.write(new.id, "chat.branched", {"branch_of": {"chat": chat.id, "seq": until}})
    mend_chat(store, journal, new.id, why=_BRANCHED, reason="stopped")
    return chats.find(chat.user, new.id)
