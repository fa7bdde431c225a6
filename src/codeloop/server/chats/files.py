"""Files of a chat's work directory: uploaded, listed, fetched, removed; and blobs of displays."""

import unicodedata
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from codeloop.core.errors import DataError
from codeloop.core.execution import MIB
from codeloop.server.chats.rooms import Room, removal
from codeloop.server.chats.service import Chats
from codeloop.server.chats.work import files_json, tell_files
from codeloop.server.checks import read_body
from codeloop.server.endpoints import Asked, endpoint, guarded
from codeloop.server.refusals import RefusalError, no_such
from codeloop.server.store.blobs import USER_BYTES
from codeloop.server.store.store import Chat

UPLOAD_BYTES = 64 * MIB
MOST_UPLOADS = 200  # of one chat
_NAME_BYTES = 200
_FRAME_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; frame-ancestors 'self'"
)
_SHOWN = frozenset({"image/png", "image/jpeg"})  # in place; all else is saved, but for HTML


def file_routes(chats: Chats) -> list[BaseRoute]:
    """Return the routes of files and blobs."""
    act = _Acts(chats)
    one = "/api/chats/{chat}/files"

    async def upload(request: Request) -> Response:
        data = await read_body(request, UPLOAD_BYTES)
        asked = Asked(request.state.user, request.path_params, request.query_params, {})
        told = await run_in_threadpool(guarded, lambda each: act.put(each, data), asked)
        return JSONResponse(told, 201)

    return [
        Route(one, endpoint(act.list_all)),
        Route(one + "/{name:path}", upload, methods=["PUT"]),
        Route(one + "/{name:path}", endpoint(act.get)),
        Route(one + "/{name:path}", endpoint(act.delete), methods=["DELETE"]),
        Route("/api/blobs/{chat}/{hash}", endpoint(act.blob)),
    ]


class _Acts:
    """What each route does."""

    def __init__(self, chats: Chats) -> None:
        self._chats = chats
        self._parts = chats.parts

    def put(self, asked: Asked, data: bytes) -> Any:
        chat = self._chat(asked)
        name = file_name(asked.path["name"])
        blobs, story = self._parts.store.blobs, self._chats.story(chat.id)
        if len(story.files) >= MOST_UPLOADS and name not in story.files:
            raise RefusalError(413, f"a chat may have {MOST_UPLOADS} uploads", "too_many_files")
        if blobs.used_bytes(chat.user) + len(data) > USER_BYTES:
            raise RefusalError(413, "the user's quota of bytes is used up", "quota")
        blob = blobs.put(chat.id, data, "application/octet-stream")
        with self._parts.rooms.gate(chat.id):  # not while its session is built: it would miss it
            session = self._parts.rooms.live(chat.id)
            if session is not None:
                if session.idle_since is None:
                    text = "code runs in this chat: upload when it has ended"
                    raise RefusalError(409, text, "busy")
                session.put_file(blobs.path(blob.hash), name)
            told = {"name": name, "blob": blob.hash, "bytes": blob.bytes}
            self._parts.journal.write(chat.id, "file.put", told)
        self._parts.store.log(asked.user.id, "file.put", chat.id, name)
        self._tell(chat)
        return {"name": name, "bytes": blob.bytes}

    def list_all(self, asked: Asked) -> Any:
        return {"files": self._files(self._chat(asked))}

    def get(self, asked: Asked) -> Any:
        chat, name = self._chat(asked), asked.path["name"]
        session = self._parts.rooms.live(chat.id)
        story = self._chats.story(chat.id)
        if session is None and story.deeds and name not in story.files:
            pace = self._chats.pace(chat.id)
            room = Room(chat.id, chat.user)
            session = self._parts.rooms.get(room, on_event=pace.write)
        try:
            if session is not None:
                data = session.get_file(name, most_bytes=UPLOAD_BYTES)
            else:
                data = self._parts.store.blobs.read(story.files.get(name, ""))
        except DataError as error:
            raise no_such("file") from error
        return saved(data, name)

    def delete(self, asked: Asked) -> Any:
        chat, name = self._chat(asked), asked.path["name"]
        if name not in {each["name"] for each in self._files(chat)}:
            raise no_such("file")
        session = self._parts.rooms.live(chat.id)
        if session is not None:
            for _ in session.run(removal(name)):
                pass
        self._parts.journal.write(chat.id, "file.dropped", {"name": name})
        self._parts.store.log(asked.user.id, "file.drop", chat.id, name)
        self._tell(chat)
        return Response(status_code=204)

    def blob(self, asked: Asked) -> Any:
        chat = self._chat(asked)
        blob = self._parts.store.blobs.find(chat.id, asked.path["hash"])
        if blob is None:
            raise no_such("blob")
        data = self._parts.store.blobs.read(blob.hash)
        headers = {"Cache-Control": "private, max-age=31536000, immutable"}
        if blob.mime == "text/html":
            headers["Content-Security-Policy"] = _FRAME_POLICY
            return Response(data, headers=headers, media_type="text/html")
        headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'unsafe-inline'; sandbox"
        )
        if blob.mime not in _SHOWN:
            headers["Content-Disposition"] = "attachment"
        return Response(data, headers=headers, media_type=blob.mime)

    def _chat(self, asked: Asked) -> Chat:
        return self._chats.find(asked.user.id, asked.path["chat"])

    def _files(self, chat: Chat) -> list[dict[str, Any]]:
        session = self._parts.rooms.live(chat.id)
        if session is not None and session.idle_since is not None:
            return files_json(session.list_files())
        files: list[dict[str, Any]] = []
        for event in self._parts.store.events(chat.id):
            match event.type:
                case "files.changed":
                    files = event.data["files"]
                case _:
                    pass
        return files

    def _tell(self, chat: Chat) -> None:
        session = self._parts.rooms.live(chat.id)
        if session is not None:
            tell_files(session, {}, self._chats.pace(chat.id))
            return
        blobs = self._parts.store.blobs
        files = [
            {"name": name, "bytes": found.bytes, "changed_s": 0}
            for name, blob in self._chats.story(chat.id).files.items()
            if (found := blobs.find(chat.id, blob)) is not None
        ]
        self._parts.journal.write(chat.id, "files.changed", {"files": files})


def file_name(text: str) -> str:
    """Return the name that an upload gets: its last part, composed, without what is not shown.

    Raises:
        RefusalError: nothing is left of it.
    """
    last = text.replace("\\", "/").rpartition("/")[2]
    shown = "".join(each for each in unicodedata.normalize("NFC", last) if each.isprintable())
    name = shown.strip().lstrip("-~").strip()
    while len(name.encode("utf-8", "replace")) > _NAME_BYTES:
        name = name[1:]  # its end says what it is
    if name in {"", ".", ".."}:
        raise RefusalError(400, f"{text!r}: no name for a file")
    return name


def saved(data: bytes, name: str) -> Response:
    """Return bytes as a file to save, which no browser shows in place."""
    plain = name.rpartition("/")[2]
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(plain, safe='')}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return Response(data, headers=headers, media_type="application/octet-stream")
