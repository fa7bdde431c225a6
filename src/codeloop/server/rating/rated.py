"""Rated chats as rows of training data: read, checked, and written in the forms of publishing."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from codeloop.core.dialogue import Dialogue, Role, Turn, plain_messages
from codeloop.dataset.keys import digest
from codeloop.dataset.records import Example, Query, Way, normalised
from codeloop.loop.prompts import render
from codeloop.publishing.forms import Form, rows
from codeloop.server.chats.cleaning import SECRETS
from codeloop.server.chats.service import Chats
from codeloop.server.rating.compares import passed
from codeloop.server.store.store import Chat

SOURCE = "codeloop chats"


class RatedForm(StrEnum):
    """How rated chats are written."""

    CODE_FEEDBACK = "code-feedback"
    MESSAGES = "messages"
    PREFERENCE = "preference"
    KTO = "kto"


@dataclass(frozen=True, slots=True)
class Rated:
    """A chat that was rated, and what its checks say; `winner` is that of a vote on it."""

    chat: Chat
    dialogue: Dialogue
    turn_ids: tuple[str, ...]
    cells: dict[str, str]  # cell: the turn that it belongs to
    ratings: tuple[dict[str, Any], ...]
    ran: bool  # its code was run
    passed: bool  # its last run ended well
    secrets: tuple[str, ...]
    duplicate_of: str | None = None

    @property
    def thumbs(self) -> tuple[int, int]:
        """How often it was rated up, and down."""
        thumbs = [each["thumb"] for each in self.ratings]
        return thumbs.count("up"), thumbs.count("down")

    def thumb_of(self, turn: str) -> str | None:
        """Return how a turn was rated: itself, or else one of its cells, the last first."""
        of_turn = [each for each in self.ratings if each["target"] == turn and each["thumb"]]
        of_cells = [
            each
            for each in self.ratings
            if self.cells.get(each["target"]) == turn and each["thumb"]
        ]
        rated = of_turn or of_cells
        return str(rated[-1]["thumb"]) if rated else None


def read_rated(chats: Chats, user: int) -> list[Rated]:
    """Return a user's chats that were rated, those of comparisons too, the oldest first."""
    store = chats.parts.store
    sql = "SELECT chat, json FROM ratings JOIN chats ON chats.id = chat WHERE user = ? ORDER BY at"
    ratings: dict[str, list[dict[str, Any]]] = {}
    for row in store.database.read(sql, (user,)):
        ratings.setdefault(row["chat"], []).append(json.loads(row["json"]))
    seen: dict[str, str] = {}
    found = []
    for name, given in ratings.items():
        chat = store.chat(user, name)
        if chat is None or "alias" in chat.settings:  # gone, or still blind
            continue
        rated = _rated(chats, chat, given)
        if rated is not None:
            key = digest([normalised(text) for text in _texts(rated.dialogue)])
            found.append(replace(rated, duplicate_of=seen.get(key)))
            seen.setdefault(key, chat.id)
    return found


def describe(rated: Rated) -> dict[str, Any]:
    """Return a rated chat as a row of the data screen."""
    up, down = rated.thumbs
    return {
        "chat": rated.chat.id,
        "title": rated.chat.title,
        "model": rated.chat.model,
        "turns": len(rated.dialogue.turns),
        "up": up,
        "down": down,
        "preferred": sum(bool(each["preferred"]) for each in rated.ratings),
        "reasons": sorted({reason for each in rated.ratings for reason in each["reasons"]}),
        "ran": rated.ran,
        "passed": rated.passed,
        "duplicate_of": rated.duplicate_of,
        "secrets": list(rated.secrets),
    }


def export_rows(chosen: Iterable[Rated], form: RatedForm) -> Iterator[dict[str, Any]]:
    """Yield rated chats in a form, as publishing writes it; preferences are a person's alone."""
    for rated in chosen:
        match form:
            case RatedForm.CODE_FEEDBACK:
                yield from rows(example_of(rated), Form.PAPER)
            case RatedForm.MESSAGES:
                yield from rows(example_of(rated), Form.MESSAGES)
            case RatedForm.PREFERENCE:
                yield from _preferences(rated)
                yield from rows(example_of(rated), Form.PAIRS)
            case RatedForm.KTO:
                yield from _thumbed(rated)


def votes(chats: Chats, user: int) -> Iterator[dict[str, Any]]:
    """Yield what won a comparison before each that lost it, as pairs of last replies.

    Where nobody voted for a side, the first that passed the tests wins over those that failed.
    """
    store = chats.parts.store
    for row in store.database.read("SELECT * FROM compares WHERE user = ? ORDER BY at", (user,)):
        winner = json.loads(row["winner"] or "null")
        sides = set(range(len(json.loads(row["chats"]))))
        if isinstance(winner, int):
            yield from _pairs_of_vote(chats, row, winner, sides - {winner})
        elif True in (tested := passed(chats, row)):
            failed = {at for at in sides if tested[at] is False}
            yield from _pairs_of_vote(chats, row, tested.index(True), failed)


def example_of(rated: Rated) -> Example:
    """Return a rated chat as an example of a dataset."""
    dialogue = rated.dialogue
    languages = [cell.language for turn in dialogue.turns for cell in turn.cells if cell.result]
    request = next(each.content for each in dialogue.opening if each.role is Role.USER)
    return Example(
        dialogue,
        Way.RATED_CHAT,
        (Query(request, source=SOURCE).id,),
        SOURCE,
        "",
        languages[0] if languages else "",
        tuple(sorted({turn.model for turn in dialogue.turns if turn.model})),
    )


def _rated(chats: Chats, chat: Chat, ratings: list[dict[str, Any]]) -> Rated | None:
    story = chats.story(chat.id)
    dialogue = story.dialogue
    if dialogue is None or not dialogue.turns:
        return None
    dialogue = replace(dialogue, turns=tuple(_named(turn, chat, chats) for turn in dialogue.turns))
    ran = [turn for turn in dialogue.turns if turn.ran]
    text = "\n".join(_texts(dialogue))
    return Rated(
        chat,
        dialogue,
        tuple(story.turn_ids),
        {cell.id: cell.turn for cell in story.cells.values() if cell.turn is not None},
        tuple(ratings),
        ran=bool(ran),
        passed=bool(ran) and not ran[-1].failed,
        secrets=tuple(name for name, shape in SECRETS.items() if shape.search(text)),
    )


def _named(turn: Turn, chat: Chat, chats: Chats) -> Turn:
    """Return a turn with its model's name, where another was told while a vote was blind."""
    known = turn.model in chats.parts.models.names or len(turn.model) > 1
    return turn if known else replace(turn, model=chat.model)


def _texts(dialogue: Dialogue) -> list[str]:
    return [each.content for each in render(dialogue) if each.role is not Role.SYSTEM]


def _prompt(dialogue: Dialogue, turns: int) -> list[dict[str, str]]:
    before = replace(dialogue, turns=dialogue.turns[:turns])
    return plain_messages(render(before))


def _preferences(rated: Rated) -> Iterator[dict[str, Any]]:
    """Yield what a person would have written, before the reply that they rated."""
    for rating in rated.ratings:
        turn = rated.cells.get(rating["target"], rating["target"])
        if not rating["preferred"] or turn not in rated.turn_ids:
            continue
        at = rated.turn_ids.index(turn)
        reply = rated.dialogue.turns[at].reply
        preferred = rating["preferred"]
        if rating["target"] in rated.cells:
            preferred = _with_code(rated, at, rating["target"], preferred)
        yield {
            "id": f"{rated.chat.id}#{turn}",
            "prompt": _prompt(rated.dialogue, at),
            "chosen": [{"role": "assistant", "content": preferred}],
            "rejected": [{"role": "assistant", "content": reply}],
            "source": SOURCE,
            "licence": "",
        }


def _with_code(rated: Rated, at: int, cell: str, code: str) -> str:
    """Return a reply with other code in the place of a cell's."""
    turn = rated.dialogue.turns[at]
    siblings = [name for name, owner in rated.cells.items() if owner == rated.turn_ids[at]]
    index = siblings.index(cell)
    if index >= len(turn.cells) or turn.reply.count(turn.cells[index].code) != 1:
        return f"```{turn.cells[index].language if index < len(turn.cells) else ''}\n{code}\n```"
    return turn.reply.replace(turn.cells[index].code, code if code.endswith("\n") else f"{code}\n")


def _thumbed(rated: Rated) -> Iterator[dict[str, Any]]:
    """Yield each reply that has a thumb, as KTO reads it."""
    for at, turn in enumerate(rated.turn_ids):
        thumb = rated.thumb_of(turn)
        if thumb is not None:
            reply = rated.dialogue.turns[at].reply
            yield {
                "id": f"{rated.chat.id}#{turn}",
                "prompt": _prompt(rated.dialogue, at),
                "completion": [{"role": "assistant", "content": reply}],
                "label": thumb == "up",
            }


def _pairs_of_vote(
    chats: Chats, row: sqlite3.Row, winner: int, losers: set[int]
) -> Iterator[dict[str, Any]]:
    names = json.loads(row["chats"])
    stories = [chats.story(name) for name in names]
    best = stories[winner].dialogue
    if best is None or not best.turns:
        return
    for at, story in enumerate(stories):
        other = story.dialogue
        if at not in losers or other is None or not other.turns:
            continue
        yield {
            "id": f"{row['id']}#{at}",
            "prompt": [{"role": "user", "content": row["text"]}],
            "chosen": [{"role": "assistant", "content": best.turns[-1].reply}],
            "rejected": [{"role": "assistant", "content": other.turns[-1].reply}],
            "source": SOURCE,
            "licence": "",
        }
