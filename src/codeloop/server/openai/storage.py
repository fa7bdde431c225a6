"""The routes of what lies about: `/v1/containers`, their files, and `/v1/files`."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from codeloop.server.chats.files import UPLOAD_BYTES, file_name, saved
from codeloop.server.chats.service import Chats
from codeloop.server.checks import read_body
from codeloop.server.endpoints import Asked, Endpoint, endpoint, guarded, json_object
from codeloop.server.openai.containers import Containers, shown_path, told_file
from codeloop.server.openai.forms import Part, read_form
from codeloop.server.openai.shelf import CONTAINER, FILE, Shelf, listed, name_of
from codeloop.server.refusals import RefusalError
from codeloop.server.store.blobs import USER_BYTES
from codeloop.server.store.store import Chat

_FORM_BYTES = UPLOAD_BYTES + 64 * 1024
_MEMORY = frozenset({"1g", "4g", "16g", "64g"})
_NAME_CHARS = 200


def storage_routes(chats: Chats, shelf: Shelf, containers: Containers) -> list[BaseRoute]:
    """Return the routes of containers and files."""
    act, file = _Containers(shelf, containers), _Files(chats, shelf)
    one = "/v1/containers/{container}"
    held = f"{one}/files/{{file}}"
    return [
        Route("/v1/containers", endpoint(act.create), methods=["POST"]),
        Route("/v1/containers", endpoint(act.list)),
        Route(one, endpoint(act.show)),
        Route(one, endpoint(act.delete), methods=["DELETE"]),
        Route(f"{one}/files", _uploading(act.put), methods=["POST"]),
        Route(f"{one}/files", endpoint(act.files)),
        Route(held, endpoint(act.file)),
        Route(held, endpoint(act.remove), methods=["DELETE"]),
        Route(f"{held}/content", endpoint(act.content)),
        Route("/v1/files", _uploading(file.put), methods=["POST"]),
        Route("/v1/files", endpoint(file.list)),
        Route("/v1/files/{file}", endpoint(file.show)),
        Route("/v1/files/{file}", endpoint(file.delete), methods=["DELETE"]),
        Route("/v1/files/{file}/content", endpoint(file.content)),
    ]


def _uploading(act: Callable[[Asked, Mapping[str, Part]], Any]) -> Endpoint:
    """Return the endpoint of an upload: a form, or JSON that names a file that is there."""

    async def answer(request: Request) -> Response:
        kind = request.headers.get("content-type", "")
        data = await read_body(request, _FORM_BYTES)
        body, form = ({}, read_form(kind, data)) if "json" not in kind else (json_object(data), {})
        asked = Asked(request.state.user, request.path_params, request.query_params, body)
        told = await run_in_threadpool(guarded, lambda each: act(each, form), asked)
        return JSONResponse(told)

    return answer


class _Containers:
    """What each route of containers does."""

    def __init__(self, shelf: Shelf, containers: Containers) -> None:
        self._shelf = shelf
        self._containers = containers

    def create(self, asked: Asked) -> Any:
        name = asked.text("name", "", most=_NAME_CHARS)
        memory = asked.body.get("memory_limit")
        if memory is not None and not (isinstance(memory, str) and memory in _MEMORY):
            raise RefusalError(400, f"memory_limit: one of {', '.join(sorted(_MEMORY))} is wanted")
        policy = asked.body.get("network_policy")
        if policy is not None and policy != {"type": "disabled"}:
            raise RefusalError(400, "network_policy: containers have no network here")
        files = [self._upload(asked, each) for each in asked.texts("file_ids")]
        container = self._containers.create(asked.user.id, name=name, memory_limit=memory)
        for each, data in files:
            self._containers.put(container, each, data)
        return self._containers.told(container)

    def list(self, asked: Asked) -> Any:
        limit = asked.number("limit", 20, least=1, most=100)
        after = asked.query.get("after", "")
        found, more = self._shelf.all(asked.user.id, CONTAINER, limit=limit, after=after)
        return listed([self._containers.told(each) for each in found], more=more)

    def show(self, asked: Asked) -> Any:
        return self._containers.told(self._container(asked))

    def delete(self, asked: Asked) -> Any:
        container = self._container(asked)
        self._containers.delete(container)
        return {"id": name_of(container), "object": "container.deleted", "deleted": True}

    def put(self, asked: Asked, form: Mapping[str, Part]) -> Any:
        container = self._container(asked)
        if "file" in form:
            name, data = form["file"]
        else:
            name, data = self._upload(asked, asked.text("file_id"))
        file = self._containers.put(container, name or "file", data)
        return told_file(container, file, source="user")

    def files(self, asked: Asked) -> Any:
        container = self._container(asked)
        files = [told_file(container, each) for each in self._containers.files(container)]
        return listed(files, more=False)

    def file(self, asked: Asked) -> Any:
        container = self._container(asked)
        return told_file(container, self._containers.file(container, asked.path["file"]))

    def content(self, asked: Asked) -> Any:
        container = self._container(asked)
        file = self._containers.file(container, asked.path["file"])
        return saved(self._containers.read(container, file.path), shown_path(file.path))

    def remove(self, asked: Asked) -> Any:
        container = self._container(asked)
        file = self._containers.file(container, asked.path["file"])
        self._containers.remove(container, file.path)
        return {"id": asked.path["file"], "object": "container.file.deleted", "deleted": True}

    def _container(self, asked: Asked) -> Chat:
        return self._containers.find(asked.user.id, asked.path["container"])

    def _upload(self, asked: Asked, name: str) -> tuple[str, bytes]:
        file = self._shelf.find(asked.user.id, FILE, name)
        return file.title, self._shelf.store.blobs.read(file.settings["blob"])


class _Files:
    """What each route of files does."""

    def __init__(self, chats: Chats, shelf: Shelf) -> None:
        self._blobs = chats.parts.store.blobs
        self._shelf = shelf

    def put(self, asked: Asked, form: Mapping[str, Part]) -> Any:
        name, data = form.get("file", (None, b""))
        if name is None:
            raise RefusalError(400, "file: a file is wanted")
        if self._blobs.used_bytes(asked.user.id) + len(data) > USER_BYTES:
            raise RefusalError(413, "the user's quota of bytes is used up", "quota")
        purpose = form.get("purpose", (None, b"user_data"))[1].decode("utf-8", "replace")
        file = self._shelf.add(asked.user.id, FILE, file_name(name), {})
        blob = self._blobs.put(file.id, data, "application/octet-stream")
        facts = {"purpose": purpose[:_NAME_CHARS], "bytes": blob.bytes, "blob": blob.hash}
        self._shelf.change(file, facts)
        return _told(self._shelf.find(asked.user.id, FILE, name_of(file)))

    def list(self, asked: Asked) -> Any:
        limit = asked.number("limit", 100, least=1, most=10_000)
        after = asked.query.get("after", "")
        found, more = self._shelf.all(asked.user.id, FILE, limit=limit, after=after)
        return listed([_told(each) for each in found], more=more)

    def show(self, asked: Asked) -> Any:
        return _told(self._file(asked))

    def content(self, asked: Asked) -> Any:
        file = self._file(asked)
        return saved(self._blobs.read(file.settings["blob"]), file.title)

    def delete(self, asked: Asked) -> Any:
        file = self._file(asked)
        self._shelf.store.delete_chat(file)
        return {"id": name_of(file), "object": "file", "deleted": True}

    def _file(self, asked: Asked) -> Chat:
        return self._shelf.find(asked.user.id, FILE, asked.path["file"])


def _told(file: Chat) -> dict[str, Any]:
    return {
        "id": name_of(file),
        "object": "file",
        "bytes": file.settings.get("bytes", 0),
        "created_at": int(file.created_at),
        "filename": file.title,
        "purpose": file.settings.get("purpose", "user_data"),
        "status": "processed",
    }
