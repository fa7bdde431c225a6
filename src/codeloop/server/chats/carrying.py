"""Chats carried out of a server, as notebooks and other files, and into it."""

import json
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from codeloop.core import records
from codeloop.core.dialogue import Dialogue, Role, Source
from codeloop.core.errors import DataError, SandboxError
from codeloop.core.events import CodeStarted, ExecutionDone, FeedbackGiven, TurnDone
from codeloop.core.execution import MIB
from codeloop.server.chats.cleaning import redacted
from codeloop.server.chats.rooms import Room
from codeloop.server.chats.service import Chats
from codeloop.server.chats.story import PASSED_OVER, Story, read_story
from codeloop.server.chats.telling import Teller
from codeloop.server.checks import read_body
from codeloop.server.endpoints import Asked, endpoint, guarded
from codeloop.server.refusals import RefusalError
from codeloop.server.store.store import Chat

IMPORT_BYTES = 32 * MIB
_MOST_CHATS = 200  # of one import
_FILES_BYTES = 64 * MIB  # of a chat, in its archive


def carrying_routes(chats: Chats) -> list[BaseRoute]:
    """Return the routes of export and import."""

    def export(asked: Asked) -> Any:
        from codeloop.publishing.notebooks.forms import (  # noqa: PLC0415  slow, and seldom needed
            NotebookForm,
            exported,
        )

        chat = chats.find(asked.user.id, asked.path["chat"])
        try:
            form = NotebookForm(asked.query.get("format", "ipynb"))
        except ValueError as error:
            known = ", ".join(form.value for form in NotebookForm)
            raise RefusalError(400, f"format: one of {known}") from error
        own = form is not NotebookForm.CODE_FEEDBACK
        events = chats.parts.store.events(chat.id, without=PASSED_OVER)
        load = chats.parts.store.blobs.read
        dialogue = read_story(chat.id, events, load, own_as_turns=own).dialogue
        if dialogue is None:
            raise RefusalError(409, "this chat is empty", "empty")
        files = _files(chats, chat) if form is NotebookForm.ARCHIVE else None
        title = chat.title
        if asked.asks("redact"):
            dialogue, title = records.decode(_redacted(dialogue)), redacted(title)
            files = None if files is None else _redacted_files(files)
        chats.parts.store.log(asked.user.id, "chat.export", chat.id, form.value)
        data = exported(dialogue, form, title=title, files=files)
        ending = "jsonl" if form is NotebookForm.CODE_FEEDBACK else form.value
        name = f"{title[:60] or 'chat'}.{ending}"
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        }
        return Response(data, headers=headers, media_type=form.media_type)

    async def take_in(request: Request) -> Response:
        data = await read_body(request, IMPORT_BYTES)
        asked = Asked(request.state.user, {}, request.query_params, {})
        told = await run_in_threadpool(guarded, lambda each: _import(chats, each, data), asked)
        return JSONResponse(told, 201)

    return [
        Route("/api/chats/{chat}/export", endpoint(export)),
        Route("/api/import", take_in, methods=["POST"]),
    ]


def _redacted(dialogue: Dialogue) -> str:
    return records.as_line(redacted(json.loads(records.encode(dialogue))))


def _redacted_files(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files that are texts, without secrets; nobody can look into the others."""
    kept = {}
    for name, data in files.items():
        with suppress(UnicodeDecodeError):
            kept[redacted(name)] = redacted(data.decode("utf-8")).encode()
    return kept


def _import(chats: Chats, asked: Asked, data: bytes) -> Any:
    from codeloop.publishing.notebooks.forms import imported  # noqa: PLC0415  as above

    name = asked.query.get("name", "import")[:200]
    dialogues = imported(data, name=name)
    if len(dialogues) > _MOST_CHATS:
        raise RefusalError(413, f"at most {_MOST_CHATS} dialogues at once", "too_many_dialogues")
    made = []
    for dialogue in dialogues:
        model = chats.parts.models.default
        chat = chats.parts.store.create_chat(asked.user.id, model=model)
        tell_dialogue(chats, chat, dialogue)
        made.append(chats.describe(chats.find(asked.user.id, chat.id)))
    return {"chats": made}


def tell_dialogue(chats: Chats, chat: Chat, dialogue: Dialogue) -> None:
    """Tell in an empty chat what a dialogue holds, as if it had happened there."""
    pace, blobs = chats.pace(chat.id), chats.parts.store.blobs
    teller = Teller(pace, lambda data, mime: blobs.put(chat.id, data, mime), Story(chat.id))
    said = [each.content for each in dialogue.opening if each.role is Role.USER]
    number = 0
    for text in said or [""]:
        number = _say(chats, chat, text, number)
    for turn in dialogue.turns:
        teller.begin_turn(turn.model, of=None, because="request")
        for index, cell in enumerate(turn.cells):
            if cell.result is not None:
                teller.take(CodeStarted(index, cell.language, cell.code))
                teller.take(ExecutionDone(index, cell.result))
        for feedback in turn.feedback:
            if feedback.source is not Source.PERSON:
                teller.take(FeedbackGiven(feedback))
        teller.take(TurnDone(turn, dialogue))
        for feedback in turn.feedback:
            if feedback.source is Source.PERSON:
                number = _say(chats, chat, feedback.text, number)
    pace.write("loop.ended", {"reason": "answered", "well": True, "detail": "imported"})
    pace.write("sandbox.state", {"state": "none"})


def _say(chats: Chats, chat: Chat, text: str, number: int) -> int:
    data: dict[str, Any] = {"message": f"m{number + 1}", "role": "user", "text": text, "files": []}
    data |= {"branch_of": None, "told": None, "fixes": None}
    chats.parts.journal.write(chat.id, "message.added", data)
    return number + 1


def _files(chats: Chats, chat: Chat) -> dict[str, bytes]:
    """Return what lies in a chat's work directory, as much as an archive may hold."""
    pace = chats.pace(chat.id)
    files: dict[str, bytes] = {}
    room = _FILES_BYTES
    try:
        session = chats.parts.rooms.get(Room(chat.id, chat.user), on_event=pace.write)
        for each in session.list_files():
            if each.size_bytes <= room:
                files[each.path] = session.get_file(each.path, most_bytes=room)
                room -= len(files[each.path])
    except (SandboxError, DataError) as error:
        raise RefusalError(503, f"its files cannot be had: {error}") from error
    return files
