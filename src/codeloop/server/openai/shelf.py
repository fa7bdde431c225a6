"""What OpenAI's forms keep, as chats of kinds of their own: containers, files, responses."""

import json
from collections.abc import Mapping
from typing import Any

from codeloop.server.refusals import RefusalError
from codeloop.server.store.store import Chat, Store

CONTAINER, FILE, RESPONSE, CONVERSATION = "container", "file", "response", "conversation"
_PREFIXES = {CONTAINER: "cntr_", FILE: "file-", RESPONSE: "resp_", CONVERSATION: "conv_"}


class Shelf:
    """Finds them by the names that clients know, each for its user alone."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add(self, user: int, kind: str, title: str, facts: Mapping[str, Any]) -> Chat:
        """Keep something new."""
        return self.store.create_chat(user, model="", title=title, settings=facts, kind=kind)

    def find(self, user: int, kind: str, name: str) -> Chat:
        """Return what a name stands for.

        Raises:
            RefusalError: there is no such thing, or it is another's.
        """
        prefix = _PREFIXES[kind]
        found = (
            self.store.chat(user, name.removeprefix(prefix)) if name.startswith(prefix) else None
        )
        if found is None or found.kind != kind:
            raise RefusalError(404, f"no such {kind}: {name[:80]}")
        return found

    def all(self, user: int, kind: str, *, limit: int, after: str = "") -> tuple[list[Chat], bool]:
        """Return a user's things of a kind, the newest first, and whether there are more.

        Raises:
            RefusalError: there is nothing of the name `after`.
        """
        start = self.find(user, kind, after).created_at if after else None
        sql = "SELECT id FROM chats WHERE user = ? AND kind = ? AND (? IS NULL OR created_at < ?)"
        rows = self.store.database.read(
            f"{sql} ORDER BY created_at DESC LIMIT ?", (user, kind, start, start, limit + 1)
        )
        found = [self.store.chat(user, str(row[0])) for row in rows[:limit]]
        return [each for each in found if each is not None], len(rows) > limit

    def change(self, thing: Chat, facts: Mapping[str, Any]) -> None:
        """Keep other facts of something."""
        self.store.change_chat(thing, title=thing.title, model="", settings=dict(facts))


def name_of(thing: Chat) -> str:
    """Return the name by which clients know something."""
    return f"{_PREFIXES[thing.kind]}{thing.id}"


def listed(things: list[dict[str, Any]], *, more: bool) -> dict[str, Any]:
    """Return a page of a list as the form has it."""
    return {
        "object": "list",
        "data": things,
        "first_id": things[0]["id"] if things else None,
        "last_id": things[-1]["id"] if things else None,
        "has_more": more,
    }


def copied(facts: Any) -> Any:
    """Return JSON values of their own, which nobody else changes."""
    return json.loads(json.dumps(facts))
