"""Models side by side: one message, two to four chats, a vote, and then their names."""

import json
import secrets
import sqlite3
import time
from itertools import zip_longest
from typing import Any

from starlette.routing import BaseRoute, Route

from codeloop.core.execution import Status
from codeloop.server.chats.reactions import branch
from codeloop.server.chats.service import Chats
from codeloop.server.endpoints import Asked, endpoint
from codeloop.server.rating.ranks import Ballot, ranks
from codeloop.server.refusals import RefusalError, no_such
from codeloop.server.store.store import Chat

_LEAST, _MOST = 2, 4
_NAMES = "ABCD"
_NO_WINNER = ("tie", "none")  # equally good, equally bad


def compare_routes(chats: Chats) -> list[BaseRoute]:
    """Return the routes of comparisons and ranks."""
    act = _Acts(chats)
    return [
        Route("/api/compares", endpoint(act.begin, status=201), methods=["POST"]),
        Route("/api/compares", endpoint(act.list_all)),
        Route("/api/compares/{compare}", endpoint(act.show)),
        Route("/api/compares/{compare}/tests", endpoint(act.test, status=202), methods=["POST"]),
        Route("/api/compares/{compare}/vote", endpoint(act.vote), methods=["POST"]),
        Route("/api/ranks", endpoint(act.rank)),
    ]


class _Acts:
    """What each route does."""

    def __init__(self, chats: Chats) -> None:
        self._chats = chats
        self._store = chats.parts.store

    def begin(self, asked: Asked) -> Any:
        text, models = asked.text("text", most=200_000), asked.texts("models", most=_MOST)
        known = self._chats.parts.models.names
        if len(models) < _LEAST or any(each not in known for each in models) or not text.strip():
            raise RefusalError(400, f"a text, and {_LEAST} to {_MOST} models of {', '.join(known)}")
        tests = asked.text("tests", "", most=200_000)
        blind = asked.flag("blind", default=True)
        if blind:
            secrets.SystemRandom().shuffle(models)
        sides = [
            self._side(asked, model, name if blind else None)
            for model, name in zip(models, _NAMES, strict=False)
        ]
        compare = secrets.token_hex(8)
        with self._store.database.write() as connection:
            connection.execute(
                "INSERT INTO compares(id, user, at, text, blind, chats, models, tests)"
                " VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(compare, asked.user.id, time.time(), text, blind),
                    json.dumps([each.id for each in sides]),
                    json.dumps(models),
                    tests.strip() and tests,
                ),
            )
        for side in sides:
            self._chats.ask(side, text)
        return self._told(self._row(asked.user.id, compare))

    def list_all(self, asked: Asked) -> Any:
        sql = "SELECT * FROM compares WHERE user = ? ORDER BY at DESC LIMIT 100"
        rows = self._store.database.read(sql, (asked.user.id,))
        return {"compares": [self._told(row) for row in rows]}

    def show(self, asked: Asked) -> Any:
        return self._told(self._row(asked.user.id, asked.path["compare"]))

    def test(self, asked: Asked) -> Any:
        """Run the tests, which no model was told, in each side's session: once."""
        row = self._row(asked.user.id, asked.path["compare"])
        sides = self._sides(row)
        if not row["tests"]:
            raise RefusalError(409, "this comparison has no tests", "no_tests")
        if self._set_cells(row["id"], None, before="[]"):
            cells: list[str] = []
            try:
                cells += [self._chats.run_cell(each, "python", row["tests"]) for each in sides]
            finally:  # with none, if a model has not ended: then they can be run later
                self._set_cells(row["id"], cells, before="null")
        return self._told(self._row(asked.user.id, row["id"]))

    def vote(self, asked: Asked) -> Any:
        row = self._row(asked.user.id, asked.path["compare"])
        winner, models = asked.body.get("winner"), json.loads(row["models"])
        places = range(len(models))
        is_place = isinstance(winner, int) and not isinstance(winner, bool) and winner in places
        if not is_place and winner not in _NO_WINNER:
            raise RefusalError(400, "winner: a place from 0, tie, or none")
        if row["winner"] is not None:
            raise RefusalError(409, "this comparison has its vote", "voted")
        with self._store.database.write() as connection:
            sql = "UPDATE compares SET winner = ? WHERE id = ? AND winner IS NULL"
            connection.execute(sql, (json.dumps(winner), row["id"]))
        for name in json.loads(row["chats"]):
            self._unmask(asked.user.id, name)
        self._store.log(asked.user.id, "compare.vote", row["id"], json.dumps(winner))
        return self._told(self._row(asked.user.id, row["id"]))

    def rank(self, asked: Asked) -> Any:
        sql = (
            "SELECT models, winner FROM compares WHERE user = ? AND winner IS NOT NULL ORDER BY at"
        )
        rows = self._store.database.read(sql, (asked.user.id,))
        ballots = []
        for row in rows:
            winner = json.loads(row["winner"])
            if winner != "none":
                models = tuple(json.loads(row["models"]))
                ballots.append(Ballot(models, winner if isinstance(winner, int) else None))
        names = ("model", "points", "wins", "losses", "ties")
        found = [{name: getattr(each, name) for name in names} for each in ranks(ballots)]
        return {"models": found, "votes": len(rows)}

    def _side(self, asked: Asked, model: str, alias: str | None) -> Chat:
        """Return the chat of one side: empty, or a branch of the chat that is compared from."""
        origin = asked.text("chat", None, most=64)
        if origin is not None:
            chat = self._chats.find(asked.user.id, origin)
            side = branch(self._chats, chat, until=chat.last_seq, model=model, kind="compare")
        else:
            side = self._store.create_chat(asked.user.id, model=model, kind="compare")
        if alias is not None:
            settings = {**side.settings, "alias": alias}
            self._store.change_chat(side, title=side.title, model=model, settings=settings)
        return self._chats.find(asked.user.id, side.id)

    def _unmask(self, user: int, name: str) -> None:
        chat = self._store.chat(user, name)
        if chat is None or "alias" not in chat.settings:
            return
        settings = {key: value for key, value in chat.settings.items() if key != "alias"}
        self._store.change_chat(chat, title=chat.title, model=chat.model, settings=settings)
        data = {"title": chat.title, "model": chat.model, "settings": settings}
        self._chats.parts.journal.write(chat.id, "chat.changed", data)

    def _row(self, user: int, compare: str) -> sqlite3.Row:
        sql = "SELECT * FROM compares WHERE id = ? AND user = ?"
        rows = self._store.database.read(sql, (compare, user))
        if not rows:
            raise no_such("comparison")
        return rows[0]

    def _set_cells(self, compare: str, cells: list[str] | None, *, before: str) -> bool:
        """Keep which cells are the tests, if what was kept is what it was thought to be."""
        with self._store.database.write() as connection:
            sql = "UPDATE compares SET test_cells = ? WHERE id = ? AND test_cells = ?"
            changed = connection.execute(sql, (json.dumps(cells), compare, before))
            return changed.rowcount > 0

    def _sides(self, row: sqlite3.Row) -> list[Chat]:
        found = [self._store.chat(row["user"], each) for each in json.loads(row["chats"])]
        return [each for each in found if each is not None]

    def _told(self, row: sqlite3.Row) -> dict[str, Any]:
        """Return a comparison as it is told: no name before the vote, if it is blind."""
        winner = json.loads(row["winner"]) if row["winner"] is not None else None
        models = json.loads(row["models"]) if winner is not None or not row["blind"] else None
        return {
            "compare": row["id"],
            "text": row["text"],
            "blind": bool(row["blind"]),
            "at": row["at"],
            "chats": [self._chats.describe(each) for each in self._sides(row)],
            "models": models,
            "winner": winner,
            "tests": row["tests"] or None,
            "passed": passed(self._chats, row),
        }


def passed(chats: Chats, row: sqlite3.Row) -> list[bool | None]:
    """Return whether each side of a comparison has passed its tests; None if they did not run."""
    names, cells = json.loads(row["chats"]), json.loads(row["test_cells"]) or []
    found: list[bool | None] = []
    for name, cell in zip_longest(names, cells):
        ran = chats.story(name).cells.get(cell) if cell else None
        ended = ran.result if ran is not None else None
        found.append(None if ended is None else ended.status is Status.OK)
    return found
