"""The routes of the data screen: rated chats with their checks, and what is made of them."""

import io
import zipfile
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from codeloop.core.records import as_line
from codeloop.publishing.card import Reports, card
from codeloop.publishing.facts import count
from codeloop.server.chats.service import Chats
from codeloop.server.endpoints import YES, Asked, endpoint
from codeloop.server.rating.rated import (
    Rated,
    RatedForm,
    describe,
    example_of,
    export_rows,
    read_rated,
    votes,
)
from codeloop.server.refusals import RefusalError

_SHOWN = 3  # examples of a card
_NAME = "Rated chats"
_FILTERS = ("thumb", "model", "ran", "passed", "duplicates", "secrets", "q")


def data_routes(chats: Chats) -> list[BaseRoute]:
    """Return the routes of rated chats."""

    def show(asked: Asked) -> Any:
        rated = _chosen(chats, asked)
        return {"rows": [describe(each) for each in rated], "forms": list(RatedForm)}

    def export(asked: Asked) -> Any:
        if not asked.asks("consent"):
            text = "say consent=1: whoever wrote these chats agrees that they are used for training"
            raise RefusalError(403, text, "consent")
        try:
            form = RatedForm(asked.query.get("format", "code-feedback"))
        except ValueError as error:
            raise RefusalError(400, f"format: one of {', '.join(RatedForm)}") from error
        chosen = [each for each in _chosen(chats, asked) if not each.duplicate_of]
        found = list(export_rows(chosen, form))
        if form is RatedForm.PREFERENCE:
            found += votes(chats, asked.user.id)
        lines = "".join(f"{as_line(row)}\n" for row in found).encode()
        chats.parts.store.log(asked.user.id, "data.export", form.value, str(len(found)))
        if not asked.asks("card"):
            return _saved(lines, f"rated.{form.value}.jsonl", "application/jsonl")
        return _saved(_archive(lines, chosen, form), "rated.zip", "application/zip")

    return [Route("/api/data", endpoint(show)), Route("/api/data/export", endpoint(export))]


def _chosen(chats: Chats, asked: Asked) -> list[Rated]:
    """Return the rated chats that the query asks for; those with secrets only if it says so."""
    query = asked.query
    unknown = set(query) - {*_FILTERS, "format", "consent", "card", "chat"}
    if unknown:
        raise RefusalError(400, f"{min(unknown)}: not a filter; there is {', '.join(_FILTERS)}")
    exports = "consent" in query
    names = set(query.getlist("chat"))
    return [
        each
        for each in read_rated(chats, asked.user.id)
        if (not names or each.chat.id in names)
        and _fits(each, {name: query[name] for name in _FILTERS if name in query})
        and not (exports and each.secrets and not asked.asks("secrets"))
    ]


def _fits(rated: Rated, wanted: dict[str, str]) -> bool:
    up, down = rated.thumbs
    for name, value in wanted.items():
        yes = value in YES
        match name:
            case "thumb":
                fits = bool(up if value == "up" else down)
            case "model":
                fits = rated.chat.model == value
            case "ran":
                fits = rated.ran is yes
            case "passed":
                fits = rated.passed is yes
            case "duplicates":
                fits = yes or not rated.duplicate_of
            case "q":
                fits = value.lower() in rated.chat.title.lower()
            case _:
                fits = True
        if not fits:
            return False
    return True


def _archive(lines: bytes, chosen: list[Rated], form: RatedForm) -> bytes:
    """Return the rows with a card that counts what they are made of."""
    examples = [example_of(each) for each in chosen]
    text = card(_NAME, count(examples), examples[:_SHOWN], Reports())
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.md", text)
        archive.writestr(f"data/{form.value}.jsonl", lines)
    return target.getvalue()


def _saved(data: bytes, name: str, kind: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(data, headers=headers, media_type=kind)
