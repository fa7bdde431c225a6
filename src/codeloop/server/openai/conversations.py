"""Conversations: items that responses go on from and add to, with the container of their code."""

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.routing import BaseRoute, Route

from codeloop.server.endpoints import Asked, endpoint
from codeloop.server.openai.asking import read_input
from codeloop.server.openai.running import Said
from codeloop.server.openai.shelf import CONVERSATION, Shelf, copied, listed, name_of
from codeloop.server.refusals import RefusalError, no_such
from codeloop.server.store.store import Chat

_MOST_AT_ONCE = 20
_MOST_ITEMS = 2000
_PREFIXES = {"message": "msg", "code_interpreter_call": "ci", "function_call": "fc"}


class Conversations:
    """Keeps conversations; may be used from many threads."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._lock = threading.Lock()

    def find(self, user: int, name: str) -> Chat:
        """Return a user's conversation.

        Raises:
            RefusalError: there is none of that name.
        """
        return self._shelf.find(user, CONVERSATION, name)

    def named(self, user: int, body: Mapping[str, Any]) -> Chat | None:
        """Return the conversation that a request goes on with, if it names one.

        Raises:
            RefusalError: there is none of that name, or it names a response before it, too.
        """
        given = body.get("conversation")
        if given is None:
            return None
        name = given.get("id") if isinstance(given, dict) else given
        if not isinstance(name, str):
            raise RefusalError(400, "conversation: a name is wanted")
        if body.get("previous_response_id") is not None:
            raise RefusalError(400, "conversation: not together with previous_response_id")
        return self.find(user, name)

    def create(self, user: int, items: Sequence[Said], metadata: Any) -> Chat:
        """Make a conversation.

        Raises:
            RefusalError: there are too many items.
        """
        facts = {"metadata": _metadata(metadata), "items": [], "container": ""}
        conversation = self._shelf.add(user, CONVERSATION, "", facts)
        if items:
            self.extend(conversation, items)
        return self.find(user, name_of(conversation))

    def extend(
        self, conversation: Chat, items: Sequence[Said], *, container: str = ""
    ) -> list[Said]:
        """Add items at the end; return them with their names.

        Raises:
            RefusalError: there are too many, or the conversation is gone.
        """
        added = [_with_name(item) for item in items]

        def change(facts: dict[str, Any]) -> None:
            if len(facts["items"]) + len(added) > _MOST_ITEMS:
                raise RefusalError(413, f"a conversation may have {_MOST_ITEMS} items")
            facts["items"] += added
            facts["container"] = container or facts["container"]

        self.change(conversation, change)
        return added

    def change(self, conversation: Chat, change: Callable[[dict[str, Any]], None]) -> Chat:
        """Change what is kept of a conversation, one at a time.

        Raises:
            RefusalError: it is gone.
        """
        with self._lock:
            now = self.find(conversation.user, name_of(conversation))
            facts = copied(now.settings)
            change(facts)
            self._shelf.change(now, facts)
        return self.find(conversation.user, name_of(conversation))

    def delete(self, conversation: Chat) -> None:
        """Remove a conversation; its container stays."""
        self._shelf.store.delete_chat(conversation)


def conversation_routes(conversations: Conversations) -> list[BaseRoute]:
    """Return the routes of conversations."""
    act = _Acts(conversations)
    one = "/v1/conversations/{conversation}"
    item = f"{one}/items/{{item}}"
    return [
        Route("/v1/conversations", endpoint(act.create), methods=["POST"]),
        Route(one, endpoint(act.show)),
        Route(one, endpoint(act.update), methods=["POST"]),
        Route(one, endpoint(act.delete), methods=["DELETE"]),
        Route(f"{one}/items", endpoint(act.add), methods=["POST"]),
        Route(f"{one}/items", endpoint(act.items)),
        Route(item, endpoint(act.item)),
        Route(item, endpoint(act.remove), methods=["DELETE"]),
    ]


class _Acts:
    """What each route does."""

    def __init__(self, conversations: Conversations) -> None:
        self._all = conversations

    def create(self, asked: Asked) -> Any:
        metadata = asked.body.get("metadata")
        return _told(self._all.create(asked.user.id, _given(asked, default=[]), metadata))

    def show(self, asked: Asked) -> Any:
        return _told(self._found(asked))

    def update(self, asked: Asked) -> Any:
        metadata = _metadata(asked.body.get("metadata"))
        changed = self._all.change(
            self._found(asked), lambda facts: facts.update(metadata=metadata)
        )
        return _told(changed)

    def delete(self, asked: Asked) -> Any:
        conversation = self._found(asked)
        self._all.delete(conversation)
        kind = "conversation.deleted"
        return {"id": name_of(conversation), "object": kind, "deleted": True}

    def add(self, asked: Asked) -> Any:
        return listed(self._all.extend(self._found(asked), _given(asked)), more=False)

    def items(self, asked: Asked) -> Any:
        items = copied(self._found(asked).settings["items"])
        if asked.query.get("order", "desc") == "desc":
            items.reverse()
        after = asked.query.get("after")
        names = [each["id"] for each in items]
        if after is not None and after not in names:
            raise no_such("item")
        rest = items[names.index(after) + 1 :] if after is not None else items
        most = asked.number("limit", 20, least=1, most=100)
        return listed(rest[:most], more=len(rest) > most)

    def item(self, asked: Asked) -> Any:
        for each in self._found(asked).settings["items"]:
            if each["id"] == asked.path["item"]:
                return each
        raise no_such("item")

    def remove(self, asked: Asked) -> Any:
        self.item(asked)

        def change(facts: dict[str, Any]) -> None:
            facts["items"] = [each for each in facts["items"] if each["id"] != asked.path["item"]]

        return _told(self._all.change(self._found(asked), change))

    def _found(self, asked: Asked) -> Chat:
        return self._all.find(asked.user.id, asked.path["conversation"])


def _given(asked: Asked, default: Any = None) -> list[Said]:
    given = asked.body.get("items", default)
    items = read_input(default if given is None else given)[1]
    if len(items) > _MOST_AT_ONCE:
        raise RefusalError(400, f"items: at most {_MOST_AT_ONCE} at once")
    return items


def _metadata(given: Any) -> dict[str, Any]:
    if given is not None and not isinstance(given, dict):
        raise RefusalError(400, "metadata: an object is wanted")
    return dict(given or {})


def _with_name(item: Said) -> Said:
    prefix = _PREFIXES.get(str(item.get("type")), "item")
    name = item.get("id") or f"{prefix}_{secrets.token_hex(12)}"
    return {**copied(item), "id": name, "status": item.get("status") or "completed"}


def _told(conversation: Chat) -> Said:
    return {
        "id": name_of(conversation),
        "object": "conversation",
        "created_at": int(conversation.created_at),
        "metadata": conversation.settings["metadata"],
    }
