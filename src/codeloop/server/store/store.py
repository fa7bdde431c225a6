"""Chats and their events: an event is written once, and what is asked often is kept beside it."""

import json
import secrets
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeloop.core.dialogue import Usage
from codeloop.core.records import as_line
from codeloop.server.store.blobs import Blobs
from codeloop.server.store.database import Database
from codeloop.server.store.users import User, Users

_COLUMNS = "id, user, kind, title, model, settings, created_at, changed_at, last_seq, busy"
_SAID = {"message.added": "text", "cell.added": "code", "turn.ended": "reply"}
_SEARCHED_CHARS = 20_000  # of one event's text


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """Something that happened in a chat; `json` is its data as it is sent."""

    seq: int
    at: float
    type: str
    json: str

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.json)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Chat:
    """A row of the list of chats; `busy` says that a loop or a cell has begun and not ended."""

    id: str
    user: int
    kind: str  # chat; compare, if it is one side of a comparison
    title: str
    model: str
    settings: dict[str, Any]
    created_at: float
    changed_at: float
    last_seq: int
    busy: bool

    @property
    def shown_model(self) -> str:
        """The model's name, or what stands for it while a blind comparison has no vote."""
        return str(self.settings.get("alias") or self.model)


class Store:
    """The file of a server; may be used from many threads."""

    def __init__(self, folder: Path) -> None:
        """Open what is in a folder, or begin.

        Raises:
            DataError: it cannot be used.
        """
        self.database = Database(folder / "codeloop.db")
        self.users = Users(self.database)
        self.blobs = Blobs(self.database, folder / "blobs")

    def close(self) -> None:
        self.database.close()

    def create_chat(
        self,
        user: int,
        *,
        model: str,
        title: str = "",
        settings: Mapping[str, Any] | None = None,
        kind: str = "chat",
    ) -> Chat:
        """Make a chat of a user."""
        now = time.time()
        chat = Chat(
            secrets.token_hex(8),
            user,
            kind,
            title,
            model,
            dict(settings or {}),
            now,
            now,
            0,
            busy=False,
        )
        with self.database.write() as connection:
            connection.execute(
                f"INSERT INTO chats({_COLUMNS}) VALUES(?,?,?,?,?,?,?,?,0,0)",
                (*(chat.id, user, kind, title, model), as_line(chat.settings), now, now),
            )
        return chat

    def chat(self, user: int, chat: str) -> Chat | None:
        """Return a chat if there is one of that id and it is this user's."""
        sql = f"SELECT {_COLUMNS} FROM chats WHERE id = ? AND user = ?"  # noqa: S608
        rows = self.database.read(sql, (chat, user))
        return _chat(rows[0]) if rows else None

    def chats(
        self, user: int, *, query: str = "", limit: int = 50, before: float | None = None
    ) -> list[Chat]:
        """Return chats of a user, the last changed first; those with all words of a query."""
        sql = f"SELECT {_COLUMNS} FROM chats WHERE user = ? AND kind = 'chat'"  # noqa: S608
        values: list[Any] = [user]
        words = _words(query)
        if words:
            sql += " AND (id IN (SELECT chat FROM search WHERE search MATCH ?)"
            sql += " OR title LIKE ? ESCAPE '\\')"
            values += [words, f"%{_escaped(query)}%"]
        if before is not None:
            sql += " AND changed_at < ?"
            values.append(before)
        rows = self.database.read(f"{sql} ORDER BY changed_at DESC LIMIT ?", (*values, limit))
        return [_chat(row) for row in rows]

    def snippet(self, chat: str, query: str) -> str:
        """Return where a query's words stand in a chat; nothing if its title alone has them."""
        words = _words(query)
        sql = "SELECT snippet(search, 1, '', '', '…', 12) FROM search WHERE search MATCH ?"
        rows = self.database.read(f"{sql} AND chat = ? LIMIT 1", (words, chat)) if words else []
        return str(rows[0][0]) if rows else ""

    def change_chat(self, chat: Chat, *, title: str, model: str, settings: dict[str, Any]) -> None:
        """Give a chat another title, model or settings."""
        with self.database.write() as connection:
            sql = "UPDATE chats SET title = ?, model = ?, settings = ? WHERE id = ?"
            connection.execute(sql, (title, model, as_line(settings), chat.id))

    def delete_chat(self, chat: Chat) -> None:
        """Remove a chat, its events, and the blobs that it alone used."""
        names = self.blobs.of_chat(chat.id)
        with self.database.write() as connection:
            connection.execute("DELETE FROM search WHERE chat = ?", (chat.id,))
            connection.execute("DELETE FROM chats WHERE id = ?", (chat.id,))
        self.blobs.drop_unused(names)

    def remove_user(self, user: User) -> None:
        """Remove a user with all that is theirs."""
        sql = f"SELECT {_COLUMNS} FROM chats WHERE user = ?"  # noqa: S608
        for row in self.database.read(sql, (user.id,)):
            self.delete_chat(_chat(row))
        self.users.remove(user)

    def append(self, chat: str, kind: str, data: Mapping[str, Any]) -> StoredEvent:
        """Write an event of a chat, with what follows from it.

        Raises:
            KeyError: the chat is gone.
        """
        text, now = as_line(data), time.time()
        with self.database.write() as connection:
            sql = "UPDATE chats SET last_seq = last_seq + 1 WHERE id = ?"
            sql += " RETURNING id, last_seq, user, model"
            row = connection.execute(sql, (chat,)).fetchone()
            if row is None:
                raise KeyError(chat)
            seq = row["last_seq"]
            sql = "INSERT INTO events VALUES(?, ?, ?, ?, ?)"
            connection.execute(sql, (chat, seq, now, kind, text))
            _project(connection, row, now, kind, data)
        return StoredEvent(seq, now, kind, text)

    def events(
        self, chat: str, *, after: int = 0, limit: int = -1, without: Sequence[str] = ()
    ) -> list[StoredEvent]:
        """Return events of a chat in their order, but for those of some types."""
        marks = ",".join("?" * len(without))
        sql = (
            "SELECT seq, at, type, json FROM events WHERE chat = ? AND seq > ?"  # noqa: S608
            f" AND type NOT IN ({marks}) ORDER BY seq LIMIT ?"
        )
        return [
            StoredEvent(*row) for row in self.database.read(sql, (chat, after, *without, limit))
        ]

    def copy_events(self, chat: str, other: str, *, until: int) -> None:
        """Write the events of a chat up to a number into another, but for ratings: those stay."""
        with self.database.write() as connection:
            seq = 0
            for seq, event in enumerate(self._copied(chat, until), 1):
                sql = "INSERT INTO events VALUES(?, ?, ?, ?, ?)"
                connection.execute(sql, (other, seq, event.at, event.type, event.json))
                _make_findable(connection, other, event.type, event.data)
            connection.execute("UPDATE chats SET last_seq = ? WHERE id = ?", (seq, other))
        self.blobs.share(chat, other)

    def _copied(self, chat: str, until: int) -> list[StoredEvent]:
        events = self.events(chat, without=("rating.given",))
        return [event for event in events if event.seq <= until]

    def unended(self) -> list[Chat]:
        """Return the chats in which something had begun and not ended when the server died."""
        sql = f"SELECT {_COLUMNS} FROM chats WHERE busy"  # noqa: S608
        return [_chat(row) for row in self.database.read(sql)]

    def count(self, user: int, call: str, model: str, usage: Usage, seconds: float) -> None:
        """Count the tokens of a call that is no chat's, under a name of its own."""
        counts = usage.prompt_tokens, usage.completion_tokens
        row = (call, "t1", user, time.time(), model, *counts, round(seconds, 4))
        with self.database.write() as connection:
            connection.execute("INSERT OR REPLACE INTO usage VALUES(?, ?, ?, ?, ?, ?, ?, ?)", row)

    def log(self, user: int | None, action: str, target: str, detail: str = "") -> None:
        """Note for the audit who did what."""
        with self.database.write() as connection:
            sql = "INSERT INTO audit VALUES(?, ?, ?, ?, ?)"
            connection.execute(sql, (time.time(), user, action, target, detail))


def _project(
    connection: sqlite3.Connection,
    row: sqlite3.Row,
    now: float,
    kind: str,
    data: Mapping[str, Any],
) -> None:
    """Keep beside an event what is asked often: busy or not, words to find, usage, ratings."""
    chat = row["id"]
    match kind:
        case "message.added":
            connection.execute("UPDATE chats SET changed_at = ? WHERE id = ?", (now, chat))
            sql = "UPDATE chats SET title = ? WHERE id = ? AND title = ''"
            connection.execute(sql, (_proper(" ".join(data["text"].split())[:80]), chat))
        case "work.started":
            connection.execute("UPDATE chats SET busy = 1 WHERE id = ?", (chat,))
        case "work.ended":
            sql = "UPDATE chats SET busy = 0, changed_at = ? WHERE id = ?"
            connection.execute(sql, (now, chat))
        case "turn.ended":
            counts = data["usage"]["prompt_tokens"], data["usage"]["completion_tokens"]
            connection.execute(
                "INSERT OR REPLACE INTO usage VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                (chat, data["turn"], row["user"], now, row["model"], *counts, data["seconds"]),
            )
        case "rating.given":
            sql = "INSERT OR REPLACE INTO ratings VALUES(?, ?, ?, ?)"
            connection.execute(sql, (chat, data["target"], now, as_line(data)))
        case _:
            pass
    _make_findable(connection, chat, kind, data)


def _make_findable(
    connection: sqlite3.Connection, chat: str, kind: str, data: Mapping[str, Any]
) -> None:
    """Let the words of an event be found."""
    said = data.get(_SAID.get(kind, ""))
    if said:
        sql = "INSERT INTO search(chat, text) VALUES(?, ?)"
        connection.execute(sql, (chat, _proper(str(said)[:_SEARCHED_CHARS])))


def _chat(row: sqlite3.Row) -> Chat:
    values = dict(row)
    values["settings"] = json.loads(values["settings"])
    values["busy"] = bool(values["busy"])
    return Chat(**values)


def _words(query: str) -> str:
    """Return what SQLite is asked for the words of a query: each as a text, with any ending."""
    return " ".join(
        '"' + word.replace('"', '""') + '"*' for word in query.split() if word.strip("*")
    )


def _proper(text: str) -> str:
    """Return a text that UTF-8 can hold: a model may have written half of a character."""
    return text.encode("utf-8", "replace").decode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
