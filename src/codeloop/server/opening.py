"""Opens the page's server: store, sandbox, pool, models; and listens."""

import asyncio
import secrets
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from codeloop.core.errors import ConfigError
from codeloop.core.execution import ExecutionLimits, Isolation
from codeloop.core.protocols import Model
from codeloop.sandbox import InstallPolicy, open_sandbox
from codeloop.sandbox.stateful.pool import PoolLimits, SessionPool
from codeloop.server.app import Facts, create_app
from codeloop.server.chats.desk import Parts
from codeloop.server.chats.journal import Flusher, Journal
from codeloop.server.chats.line import Line, LineLimits
from codeloop.server.chats.mending import mend
from codeloop.server.chats.rooms import Rooms, RoomSession
from codeloop.server.chats.service import Chats
from codeloop.server.chats.work import LoopOrder
from codeloop.server.checks import LOOPBACK
from codeloop.server.models import Models
from codeloop.server.node.service import listen
from codeloop.server.store.store import Store
from codeloop.server.store.users import OWNER

_GRACE_S = 2
_POLL_S = 0.1
_SWITCH_S = 0.0005  # a thread that works holds up one that answers for no longer than that


@dataclass(frozen=True, slots=True)
class PageSettings:
    """How the page's server is reached, where it keeps what it keeps, and what it grants."""

    folder: Path
    host: str = "127.0.0.1"
    port: int = 8400
    token: str = ""  # a fixed one; empty makes a new one at each start
    hosts: frozenset[str] = frozenset()
    exposed: bool = False  # said on purpose: others than this machine may reach it
    order: LoopOrder = LoopOrder()
    line: LineLimits = LineLimits()
    pool: PoolLimits = field(default_factory=lambda: PoolLimits(sessions=256, of_one_owner=200))


@dataclass(frozen=True, slots=True)
class Lent:
    """What the server is handed: models by name, and how sessions are opened."""

    models: Sequence[str]
    open_model: Callable[[str], Model]
    guest_packages: Path | None = None
    toolchain: Path | None = None
    isolation: Isolation = Isolation.NAMESPACES
    installs_from: InstallPolicy = field(default_factory=InstallPolicy)
    preload: tuple[str, ...] = ()
    kernel: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A server that is ready to listen."""

    app: ASGIApp
    chats: Chats
    token: str


@contextmanager
def open_chats(
    store: Store,
    models: Models,
    open_session: Callable[[], RoomSession],
    *,
    settings: PageSettings,
    isolation: Isolation = Isolation.NAMESPACES,
) -> Iterator[Chats]:
    """Yield the chats of a store, over models and sessions that are handed in; end them after."""
    with ExitStack() as stack:
        journal, flusher = Journal(store), Flusher()
        stack.callback(flusher.close)
        reaped: list[Rooms] = []
        pool: SessionPool[RoomSession] = stack.enter_context(
            SessionPool(
                open_session,
                limits=settings.pool,
                on_reap=lambda session: reaped[0].note_reaped(session) if reaped else None,
            )
        )
        limits = settings.order.limits.run
        rooms = Rooms(pool, store, journal, isolation=isolation, limits=limits)
        reaped.append(rooms)
        line = Line(settings.line)
        chats = Chats(Parts(store, journal, flusher, line, models, rooms, settings.order))
        mend(store, journal)
        stack.callback(chats.close)
        yield chats


@contextmanager
def open_page(settings: PageSettings, lent: Lent) -> Iterator[Opened]:
    """Yield a server that is ready to listen.

    Raises:
        ConfigError: others than this machine could reach it, and that was not said on purpose.
        DataError: its folder cannot be used.
        SandboxError: the sandbox did not start.
    """
    if settings.host not in LOOPBACK and not (settings.exposed and settings.token):
        msg = f"whoever reaches {settings.host} could ask for code to be run here: say --expose, "
        msg += "and give the server a token of your own (--token-file)"
        raise ConfigError(msg)
    with ExitStack() as stack:
        store = Store(settings.folder)
        stack.callback(store.close)
        sandbox = stack.enter_context(
            open_sandbox(
                guest_packages=lent.guest_packages,
                toolchain=lent.toolchain,
                isolation=lent.isolation,
                preload=lent.preload,
            )
        )
        models = Models(lent.models, lent.open_model)
        stack.callback(models.close)
        limits: ExecutionLimits = settings.order.limits.run

        def open_session() -> RoomSession:
            return sandbox.open_session(
                stateful=True,
                interactive=True,
                limits=limits,
                installs_from=lent.installs_from,
                kernel=lent.kernel,
            )

        chats = stack.enter_context(
            open_chats(store, models, open_session, settings=settings, isolation=lent.isolation)
        )
        languages = sandbox.open_session(stateful=False).languages
        facts = Facts(lent.isolation, tuple(sorted(languages)))
        yield Opened(
            create_app(chats, facts, hosts=settings.hosts), chats, let_owner_in(store, settings)
        )


def let_owner_in(store: Store, settings: PageSettings) -> str:
    """Return the token by which who started the server comes in; that of the last start ends."""
    users = store.users
    owner = users.find(OWNER) or users.add(OWNER)
    token = settings.token or secrets.token_urlsafe(24)
    users.drop_tokens(owner, "start")
    users.keep_token(owner, token, kind="start")
    return token


def serve(opened: Opened, settings: PageSettings, on_ready: Callable[[int], None]) -> None:
    """Listen until a signal says to stop; `on_ready` is told the port.

    Raises:
        ConfigError: the address cannot be had.
    """
    listener = listen(settings.host, settings.port)
    sys.setswitchinterval(_SWITCH_S)
    config = uvicorn.Config(
        opened.app,
        lifespan="off",
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACE_S,
    )
    try:
        on_ready(listener.getsockname()[1])
        asyncio.run(_serve(uvicorn.Server(config), listener, opened.chats.parts.journal))
    finally:
        listener.close()


async def _serve(server: uvicorn.Server, listener: socket.socket, journal: Journal) -> None:
    """Serve until a signal; then let those go who listen to chats, so that nobody is cut off."""
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not (server.should_exit or serving.done()):  # noqa: ASYNC110  uvicorn has no event
        await asyncio.sleep(_POLL_S)
    journal.close()
    await serving
