"""A page's server in a thread, and a client that speaks to it as a program does."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from codeloop.core.execution import ExecutionLimits, Isolation
from codeloop.core.protocols import Model
from codeloop.loop.limits import Limits
from codeloop.models.scripted import ScriptedModel, Step
from codeloop.sandbox import InstallPolicy, Sandbox
from codeloop.sandbox.stateful.pool import PoolLimits
from codeloop.server.app import Facts, create_app
from codeloop.server.chats.line import LineLimits
from codeloop.server.chats.work import LoopOrder
from codeloop.server.models import Models
from codeloop.server.node.service import listen
from codeloop.server.opening import PageSettings, let_owner_in, open_chats
from codeloop.server.store.store import Store

Script = Sequence[Step] | Callable[..., Step]
_WAIT_S = 30.0


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """Speaks to a server with a token, or with what headers it is given."""

    port: int
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_WAIT_S)
        sent = {"Host": f"127.0.0.1:{self.port}", **self.headers}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        data = body if isinstance(body, bytes) else None
        if body is not None and data is None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: object = None, **headers: str) -> Answer:
        return self.ask("POST", path, {} if body is None else body, **headers)

    def new_chat(self, **facts: object) -> "ChatClient":
        answer = self.post("/api/chats", facts)
        assert answer.status == 201, answer.body
        return ChatClient(self, answer.json["id"])


@dataclass
class ChatClient:
    """One chat, as a client sees it."""

    client: Client
    id: str

    def post(self, path: str, body: object = None) -> Answer:
        return self.client.post(f"/api/chats/{self.id}{path}", body)

    def get(self, path: str) -> Answer:
        return self.client.get(f"/api/chats/{self.id}{path}")

    def events(self, after: int = 0) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/events?wait=0&after={after}").json["events"]
        return found

    def data(self, kind: str) -> list[dict[str, Any]]:
        return [each["data"] for each in self.events() if each["type"] == kind]

    def say(self, text: str, **more: object) -> list[dict[str, Any]]:
        """Say something, and return the events when the loop has ended."""
        answer = self.post("/messages", {"text": text, **more})
        assert answer.status == 202, answer.body
        return self.until_rest()

    def run(self, code: str, language: str = "python") -> dict[str, Any]:
        """Run a cell of one's own, and return its result."""
        answer = self.post("/cells", {"code": code, "language": language})
        assert answer.status == 202, answer.body
        self.until_rest()
        result: dict[str, Any] = self.data("cell.finished")[-1]["result"]
        return result

    def until_rest(self) -> list[dict[str, Any]]:
        self.until(lambda _: not self.get("").json["busy"])
        return self.events()

    def until(self, seen: Callable[[list[dict[str, Any]]], bool]) -> None:
        end = time.monotonic() + _WAIT_S
        while not seen(self.events()):
            assert time.monotonic() < end, self.events()
            time.sleep(0.01)

    def until_event(self, kind: str) -> None:
        self.until(lambda events: any(each["type"] == kind for each in events))

    def stream(self, after: int = 0, **headers: str) -> Generator[dict[str, Any], None, None]:
        """Yield events as they come."""
        connection = http.client.HTTPConnection("127.0.0.1", self.client.port, timeout=_WAIT_S)
        sent = {"Authorization": f"Bearer {self.client.token}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request("GET", f"/api/chats/{self.id}/events?after={after}", headers=sent)
            yield from _parsed(connection.getresponse())
        finally:
            connection.close()


def _parsed(response: http.client.HTTPResponse) -> Generator[dict[str, Any], None, None]:
    fields: dict[str, str] = {}
    for line in response:
        text = line.decode().rstrip("\n")
        if text and not text.startswith(":"):
            name, _, value = text.partition(": ")
            fields[name] = value
        elif fields:
            data = json.loads(fields["data"])
            yield {"seq": int(fields["id"]), "type": fields["event"], "data": data}
            fields = {}


@dataclass
class PageServer:
    """A server that listens; `stop` ends it as ^C does."""

    port: int
    token: str
    store: Store
    server: uvicorn.Server
    thread: threading.Thread
    stack: ExitStack

    @property
    def client(self) -> Client:
        return Client(self.port, self.token)

    def user(self, name: str) -> Client:
        users = self.store.users
        return Client(self.port, users.new_token(users.find(name) or users.add(name)))

    def stop(self) -> None:
        if self.thread.is_alive():
            self.server.should_exit = True
            self.thread.join()
        self.stack.close()


StartPage = Callable[..., PageServer]


def start_page(  # noqa: PLR0913  what a test may want otherwise
    sandbox: Sandbox,
    folder: Path,
    *,
    replies: Script = (),
    models: dict[str, Model] | None = None,
    limits: Limits = Limits(),
    line: LineLimits = LineLimits(),
    pool: PoolLimits | None = None,
    mode: str = "auto",
    installs: InstallPolicy | None = None,
) -> PageServer:
    """Return a server over a scripted model, or over models by their names."""
    known = models or {"scripted": ScriptedModel(replies)}
    order = LoopOrder(limits=limits, explain=False, mode=mode)
    settings = PageSettings(
        folder, order=order, line=line, pool=pool or PoolLimits(spares=0, sessions=64)
    )
    stack = ExitStack()
    store = Store(folder)
    stack.callback(store.close)
    run_limits: ExecutionLimits = limits.run

    def open_session():  # type: ignore[no-untyped-def]
        return sandbox.open_session(
            stateful=True,
            interactive=True,
            limits=run_limits,
            installs_from=installs or InstallPolicy(),
        )

    chats = stack.enter_context(
        open_chats(store, Models(list(known), known.__getitem__), open_session, settings=settings)
    )
    app = create_app(chats, Facts(Isolation.NAMESPACES, ("bash", "python")))
    listener = listen("127.0.0.1", 0)
    stack.callback(listener.close)
    server = uvicorn.Server(
        uvicorn.Config(
            app, lifespan="off", access_log=False, log_level="error", timeout_graceful_shutdown=1
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = listener.getsockname()[1]
    return PageServer(port, let_owner_in(store, settings), store, server, thread, stack)
