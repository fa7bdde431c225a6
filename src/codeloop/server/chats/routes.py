"""The routes of chats: `/api/chats` and what lies below it."""

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from codeloop.core.dialogue import plain_messages
from codeloop.server.chats.carrying import carrying_routes
from codeloop.server.chats.files import file_routes
from codeloop.server.chats.reactions import reaction_routes
from codeloop.server.chats.service import Chats
from codeloop.server.chats.settings import settings_of
from codeloop.server.chats.streaming import events_endpoint
from codeloop.server.endpoints import Asked, endpoint
from codeloop.server.refusals import RefusalError
from codeloop.server.store.store import Chat

_NO_CONTENT = 204
_TITLE_CHARS = 200


def chat_routes(chats: Chats) -> list[BaseRoute]:
    """Return the routes of chats."""
    parts = chats.parts
    act = _Acts(chats)
    one = "/api/chats/{chat}"
    return [
        Route("/api/chats", endpoint(act.create, status=201), methods=["POST"]),
        Route("/api/chats", endpoint(act.list_all)),
        Route(one, endpoint(act.show)),
        Route(one, endpoint(act.change), methods=["PATCH"]),
        Route(one, endpoint(act.delete), methods=["DELETE"]),
        Route(f"{one}/events", events_endpoint(chats, parts.store, parts.journal)),
        Route(f"{one}/messages", endpoint(act.ask, status=202), methods=["POST"]),
        Route(f"{one}/continue", endpoint(act.go_on, status=202), methods=["POST"]),
        Route(f"{one}/hint", endpoint(act.hint, status=202), methods=["POST"]),
        Route(f"{one}/stop", endpoint(act.stop), methods=["POST"]),
        Route(f"{one}/interrupt", endpoint(act.interrupt), methods=["POST"]),
        Route(f"{one}/input", endpoint(act.type_line), methods=["POST"]),
        Route(f"{one}/sandbox", endpoint(act.sandbox, status=202), methods=["POST"]),
        Route(f"{one}/cells", endpoint(act.run, status=202), methods=["POST"]),
        Route(f"{one}/cells/{{cell}}/run", endpoint(act.run_again, status=202), methods=["POST"]),
        Route(f"{one}/cells/{{cell}}/fix", endpoint(act.fix, status=202), methods=["POST"]),
        Route(f"{one}/cells/{{cell}}/allow", endpoint(act.allow), methods=["POST"]),
        Route(f"{one}/variables", endpoint(act.variables)),
        Route(f"{one}/turns/{{turn}}/prompt", endpoint(act.prompt)),
        *file_routes(chats),
        *reaction_routes(chats),
        *carrying_routes(chats),
    ]


class _Acts:
    """What each route does."""

    def __init__(self, chats: Chats) -> None:
        self._chats = chats
        self._store = chats.parts.store

    def create(self, asked: Asked) -> Any:
        model = self._model(asked.text("model", "", most=_TITLE_CHARS))
        title = asked.text("title", "", most=_TITLE_CHARS)
        settings = settings_of(_settings(asked))
        chat = self._store.create_chat(asked.user.id, model=model, title=title, settings=settings)
        return self._chats.describe(chat)

    def list_all(self, asked: Asked) -> Any:
        before = asked.query.get("before")
        try:
            point = float(before) if before else None
        except ValueError as error:
            raise RefusalError(400, "before: a time in seconds is wanted") from error
        query = asked.query.get("q", "")[:_TITLE_CHARS]
        found = self._store.chats(
            asked.user.id,
            query=query,
            limit=asked.number("limit", 50, least=1, most=500),
            before=point,
        )
        told = [self._chats.describe(each) for each in found]
        if query:
            told = [{**each, "snippet": self._store.snippet(each["id"], query)} for each in told]
        return {"chats": told}

    def show(self, asked: Asked) -> Any:
        return self._chats.describe(self._chat(asked))

    def change(self, asked: Asked) -> Any:
        chat = self._chat(asked)
        title = asked.text("title", chat.title, most=_TITLE_CHARS)
        model = self._model(asked.text("model", chat.model, most=_TITLE_CHARS))
        settings = {**chat.settings, **settings_of(_settings(asked))}
        self._store.change_chat(chat, title=title, model=model, settings=settings)
        data = {"title": title, "model": model, "settings": settings}
        self._chats.parts.journal.write(chat.id, "chat.changed", data)
        return self._chats.describe(self._chat(asked))

    def delete(self, asked: Asked) -> Any:
        chat = self._chat(asked)
        self._chats.close_chat(chat)
        self._store.delete_chat(chat)
        self._store.log(asked.user.id, "chat.delete", chat.id)
        return Response(status_code=_NO_CONTENT)

    def ask(self, asked: Asked) -> Any:
        chat = self._chat(asked)
        text, files = asked.text("text", most=200_000), asked.texts("files")
        mode = asked.text("mode", chat.settings.get("mode", "auto"))
        return {"message": self._chats.ask(chat, text, files=files, mode=mode)}

    def go_on(self, asked: Asked) -> Any:
        self._chats.go_on(self._chat(asked), asked.number("turns", 3, least=1, most=20))
        return {}

    def hint(self, asked: Asked) -> Any:
        self._chats.hint(self._chat(asked), asked.text("text", most=200_000))
        return {}

    def stop(self, asked: Asked) -> Any:
        return {"stopped": self._chats.stop(self._chat(asked))}

    def interrupt(self, asked: Asked) -> Any:
        return {"interrupted": self._chats.interrupt(self._chat(asked))}

    def type_line(self, asked: Asked) -> Any:
        chat = self._chat(asked)
        line = None if asked.body.get("line", 0) is None else asked.text("line", most=65_536)
        self._chats.type_line(chat, line)
        return {}

    def sandbox(self, asked: Asked) -> Any:
        chat, what = self._chat(asked), asked.text("do")
        if what not in {"restart", "replay"}:
            raise RefusalError(400, "do: restart or replay")
        self._chats.restart(chat, replay=what == "replay")
        return {}

    def run(self, asked: Asked) -> Any:
        chat = self._chat(asked)
        language = asked.text("language", "python", most=64)
        return {"cell": self._chats.run_cell(chat, language, asked.text("code", most=500_000))}

    def run_again(self, asked: Asked) -> Any:
        chat = self._chat(asked)
        cell = self._chats.cell(chat, asked.path["cell"])
        code = asked.text("code", cell.code, most=500_000)
        name = self._chats.run_cell(chat, cell.language or "python", code, attempt_of=cell.id)
        return {"cell": name}

    def fix(self, asked: Asked) -> Any:
        chat = self._chat(asked)
        note = asked.text("note", "", most=200_000)
        return {"message": self._chats.fix(chat, asked.path["cell"], note)}

    def allow(self, asked: Asked) -> Any:
        chat = self._chat(asked)
        self._chats.cell(chat, asked.path["cell"])
        self._chats.allow(chat, run=asked.flag("run", default=True))
        return {}

    def prompt(self, asked: Asked) -> Any:
        told = self._chats.prompt(self._chat(asked), asked.path["turn"])
        return {"messages": plain_messages(told)}

    def variables(self, asked: Asked) -> Any:
        session = self._chats.parts.rooms.live(self._chat(asked).id)
        if session is None or session.idle_since is None:  # none, or not to be asked now
            return {"variables": [], "busy": session is not None}
        names = ("name", "type", "value", "shape", "size_bytes")
        found = [{name: getattr(each, name) for name in names} for each in session.variables()]
        return {"variables": found, "busy": False}

    def _chat(self, asked: Asked) -> Chat:
        return self._chats.find(asked.user.id, asked.path["chat"])

    def _model(self, name: str) -> str:
        models = self._chats.parts.models
        if name and name not in models.names:
            raise RefusalError(400, f"no model {name!r} here", "no_such_model")
        return name or models.default


def _settings(asked: Asked) -> dict[str, Any]:
    settings = asked.body.get("settings", {})
    if not isinstance(settings, dict):
        raise RefusalError(400, "settings: an object is wanted")
    return settings
