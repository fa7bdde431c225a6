"""Opens a node: sees that the jail holds, opens the pool, listens."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from codeloop.core.errors import ConfigError
from codeloop.core.execution import Isolation
from codeloop.sandbox import open_pool, open_sandbox, require_held, self_test
from codeloop.server.checks import LOOPBACK
from codeloop.server.node.app import make_app
from codeloop.server.node.node import Node
from codeloop.server.node.service import Service, listen


@dataclass(frozen=True, slots=True)
class Settings:
    """How a node is reached, and how much it takes: `slots` run at once, `room` may wait."""

    slots: int
    room: int
    host: str = "127.0.0.1"
    port: int = 8900
    token: str = ""
    hosts: frozenset[str] = frozenset()


@contextmanager
def open_service(
    settings: Settings,
    *,
    guest_packages: Path | None = None,
    toolchain: Path | None = None,
    isolation: Isolation = Isolation.NAMESPACES,
) -> Iterator[Service]:
    """Yield a node that answers requests; it drains when the block is left without an error.

    Raises:
        ConfigError: the address cannot be had, or others than this machine could use it untold.
        IsolationError: this machine cannot isolate, or a hostile program got through.
        SandboxError: the sandbox did not start for another reason.
    """
    if settings.host not in LOOPBACK and not settings.token:
        msg = f"whoever reaches {settings.host} could run code here: give the node a token"
        raise ConfigError(msg)
    listener = listen(settings.host, settings.port)
    try:
        if isolation is Isolation.NAMESPACES:  # what is below is tried by whoever opens it
            with open_sandbox() as sandbox:
                require_held(self_test(sandbox), sandbox.isolation)
        with open_pool(
            slots=settings.slots,
            guest_packages=guest_packages,
            toolchain=toolchain,
            isolation=isolation,
        ) as pool:
            node = Node(pool, slots=settings.slots, room=settings.room)
            app = make_app(node, token=settings.token, hosts=settings.hosts)
            service = Service(app, node, listener)
            service.start()
            yield service
            service.stop()
    finally:
        listener.close()
