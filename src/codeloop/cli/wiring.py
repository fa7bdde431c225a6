"""Choose the model and the sandbox that the flags ask for: what `run` and `chat` share."""

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from codeloop.cli.terminal import clean
from codeloop.core.errors import ConfigError
from codeloop.core.events import CodeStarted, Event, ExecutionDone
from codeloop.core.execution import InputRequested

if TYPE_CHECKING:
    from codeloop.core.execution import Isolation
    from codeloop.core.protocols import Model, Sampling, Session
    from codeloop.loop.limits import Limits
    from codeloop.sandbox import InstallPolicy, SandboxSession

_WARNINGS = {
    "landlock": "isolation landlock: no namespaces; the code can see which files and users there "
    "are, though not read them",
    "container": "isolation container: the container is the wall; the code can reach what is in it",
    "none": "no isolation: the code can read, change and send all that its user can",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose the model and the limits of the loop."""
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model",
        metavar="NAME",
        default=os.environ.get("CODELOOP_MODEL"),
        help="a name of `codeloop model list`, a .gguf file, or an endpoint's model "
        "(default: $CODELOOP_MODEL, else the catalogue's default)",
    )
    model.add_argument(
        "--base-url",
        metavar="URL",
        default=os.environ.get("CODELOOP_BASE_URL"),
        help="an OpenAI-compatible endpoint (default: $CODELOOP_BASE_URL); "
        "its key is read from $CODELOOP_API_KEY",
    )
    model.add_argument("--temperature", type=float, default=0.0, help="default: 0, greedy")
    model.add_argument("--seed", type=int, help="of the sampling")
    model.add_argument("--max-tokens", type=positive, default=1024, help="of a reply")
    model.add_argument(
        "--kernel",
        metavar="NAME",
        help="the Jupyter kernel that runs the code, as the jail sees it installed "
        "(default: codeloop's own)",
    )
    packages = parser.add_argument_group("packages that code may install with %%pip install")
    packages.add_argument(
        "--install-from",
        metavar="DIR|URL",
        help="a folder of wheels, or an index (default: none may be installed)",
    )
    packages.add_argument(
        "--install-only", metavar="NAMES", help="these alone, with a comma between them"
    )
    packages.add_argument(
        "--install-ask",
        action="store_true",
        help="ask before anything is installed; where nobody can answer, nothing is",
    )
    loop = parser.add_argument_group("limits of the loop")
    loop.add_argument("--turns", type=positive, default=4, help="model replies (default: 4)")
    loop.add_argument("--seconds", type=float, default=600.0, help="default: 600")
    loop.add_argument("--tokens", type=positive, help="of all prompts and replies together")
    loop.add_argument(
        "--explain",
        action="store_true",
        help="show the model the output of code that ran well, and let it answer in words",
    )
    loop.add_argument("--wall-s", type=float, default=60.0, help="seconds a run may take")
    loop.add_argument("--memory-mb", type=positive, default=1024, help="a run may use")
    add_isolation(parser)


def add_isolation(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose what stands between the code and this machine."""
    group = parser.add_argument_group("isolation")
    group.add_argument(
        "--isolation",
        choices=["namespaces", "landlock", "container", "none"],
        default="namespaces",
        help="what stands between the code and this machine, strongest first "
        "(default: namespaces; nothing is run where the level cannot be had)",
    )
    group.add_argument(
        "--i-accept-no-isolation",
        action="store_true",
        help="has to be said with --isolation none: the code can do all that a user of this "
        "machine can",
    )


def isolation(args: argparse.Namespace) -> "Isolation":
    """Return the level of isolation that the flags ask for, and warn of a lower one."""
    from codeloop.core.execution import Isolation

    level = Isolation(args.isolation)
    if level is Isolation.NONE and not args.i_accept_no_isolation:
        msg = "--isolation none needs --i-accept-no-isolation"
        raise ConfigError(msg)
    if level is not Isolation.NAMESPACES:
        print(f"codeloop: {_WARNINGS[level.value]}", file=sys.stderr)
    return level


def installs(args: argparse.Namespace) -> "InstallPolicy":
    """Return what `--install-from` allows.

    Raises:
        ConfigError: it names neither a folder nor an index, or a Jupyter kernel is to run.
    """
    from codeloop.sandbox import InstallPolicy

    source = args.install_from
    if source is not None and args.kernel is not None:
        msg = "--install-from is for codeloop's own kernel, not for --kernel"
        raise ConfigError(msg)
    if source is not None and not source.startswith(("https://", "http://")):
        if not Path(source).is_dir():
            msg = f"--install-from {source}: neither a folder nor the URL of an index"
            raise ConfigError(msg)
        source = str(Path(source).resolve())
    names = args.install_only.split(",") if args.install_only else None
    only = None if names is None else frozenset(names)
    return InstallPolicy(source, only, asks=args.install_ask)


def limits(args: argparse.Namespace) -> "Limits":
    from codeloop.core.execution import MIB, ExecutionLimits
    from codeloop.loop.limits import Limits

    run = ExecutionLimits(cpu_s=args.wall_s, wall_s=args.wall_s, memory_bytes=args.memory_mb * MIB)
    return Limits(turns=args.turns, seconds=args.seconds, tokens=args.tokens, run=run)


def sampling(args: argparse.Namespace) -> "Sampling":
    from codeloop.core.protocols import Sampling

    return Sampling(temperature=args.temperature, max_tokens=args.max_tokens, seed=args.seed)


@contextmanager
def open_model(name: str | None, base_url: str | None, *, parallel: int = 1) -> "Iterator[Model]":
    """Yield the model of that name, and close it afterwards.

    One in this process works on `parallel` calls at once.
    """
    from codeloop.models import connect
    from codeloop.models.catalogue import DEFAULT

    if base_url is not None and name is None:
        msg = "--base-url needs --model: the name that the endpoint gives its model"
        raise ConfigError(msg)
    model = connect(name or DEFAULT, base_url=base_url, parallel=parallel)
    try:
        yield model
    finally:
        model.close()


@contextmanager
def open_session(
    args: argparse.Namespace, *, files: Sequence[Path] = (), interactive: bool
) -> "Iterator[SandboxSession]":
    """Yield a stateful session as the flags want it, with the files in its work directory."""
    from codeloop.sandbox import open_sandbox

    with open_sandbox(
        guest_packages=guest_packages(), toolchain=toolchain(), isolation=isolation(args)
    ) as sandbox:
        session = sandbox.open_session(
            stateful=True,
            interactive=interactive,
            limits=limits(args).run,
            installs_from=installs(args),
            kernel=args.kernel,
        )
        try:
            for path in files:
                session.put_file(path)
            yield session
        finally:
            session.close()


def guest_packages() -> Path | None:
    """Return the folder of packages that the guest's Python sees, if there is one."""
    from codeloop.models.catalogue import data_dir

    folder = data_dir() / "guest-packages" / str(sys.implementation.cache_tag)
    return folder if folder.is_dir() else None


def toolchain_folder() -> Path:
    """Return where `codeloop doctor --prepare` puts what it makes for compilers."""
    from codeloop.models.catalogue import data_dir

    return data_dir() / "toolchain"


def toolchain() -> Path | None:
    """Return the folder of what was made for compilers, if there is one."""
    folder = toolchain_folder()
    return folder if folder.is_dir() else None


class Keyboard:
    """The person at the keyboard while the loop works: their ^C, and the lines that code asks for.

    ^C interrupts the run in progress, and else raises KeyboardInterrupt. A second ^C in the same
    run raises too, so that nothing can hold a person up.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._running = False

    @contextmanager
    def watching(self, *, running: bool = False) -> Iterator[None]:
        """Handle ^C this way within the block; code may be running from its start."""
        before = signal.signal(signal.SIGINT, self._stop)
        self._running = running
        try:
            yield
        finally:
            self._running = False
            signal.signal(signal.SIGINT, before)

    def follow(self, event: Event) -> None:
        """Learn from an event whether code runs, and answer it if it asks for a line."""
        match event:
            case CodeStarted():
                self._running = True
            case ExecutionDone():
                self._running = False
            case InputRequested(prompt):
                self._answer(prompt)
            case _:
                pass

    def _answer(self, prompt: str) -> None:
        self._running = False  # ^C has to end the waiting, not only the run
        try:
            line = input(clean(prompt))
        except EOFError:
            self._session.send_input(None)
        except KeyboardInterrupt:
            self._session.interrupt()
        else:
            self._session.send_input(line)
            self._running = True

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        if not self._running:
            raise KeyboardInterrupt
        self._running = False
        if not self._session.interrupt():  # it has not quite begun, or has just ended
            raise KeyboardInterrupt


def existing_file(text: str) -> Path:
    """Return the path of a file that is there; for `type=` of a flag."""
    path = Path(text)
    if not path.is_file():
        msg = f"no such file: {text}"
        raise argparse.ArgumentTypeError(msg)
    return path


def read_token(path: Path) -> str:
    """Return the token that a file holds."""
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read: {error}"
        raise ConfigError(msg) from error
    if not token.isascii() or not token.isprintable() or not token:
        msg = f"{path}: a token is one line of ASCII"
        raise ConfigError(msg)
    return token


def positive(text: str) -> int:
    """Return a number of 1 or more; for `type=` of a flag."""
    number = int(text)
    if number < 1:
        msg = f"should be 1 or more, not {number}"
        raise argparse.ArgumentTypeError(msg)
    return number
