"""`codeloop chat`: an interpreter at the terminal."""

import argparse
import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from codeloop.cli import bring, wiring
from codeloop.cli.terminal import clean
from codeloop.core.dialogue import Dialogue, Feedback, Source
from codeloop.core.errors import CodeloopError, ConfigError
from codeloop.core.events import DialogueDone, ExecutionDone, TurnDone

if TYPE_CHECKING:
    from codeloop.cli.view import View
    from codeloop.core.protocols import Model
    from codeloop.sandbox import SandboxSession

_HELP = """\
Type a request; Enter sends it, Esc Enter or Alt+Enter begins a new line.
^C interrupts running code (its variables stay), and else the model's reply; ^D leaves.

  /file PATH     put a file into the work directory of the code
  /files         what lies in the work directory
  /get NAME [PATH]   save a file of the work directory, where there is none
  /figure [PATH]     save the figures that were shown last
  /vars          what the code's names stand for
  /replay        run the session's code again, in an empty session: for when its process died
  /model NAME    go on with another model
  /turns N       let the model try up to N times for a request
  /save FILE     append the dialogue to a JSON Lines file
  /reset         begin a new dialogue in an empty session
  /help          this text
  /exit          leave"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "chat",
        help="chat with an interpreter that keeps its variables",
        description="Chat with an interpreter that keeps its variables from request to request.",
        epilog=f"in the chat:\n{_HELP}\n\nexample:\n  codeloop chat --model qwen2.5-coder-1.5b",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    wiring.add_options(parser)


def main(args: argparse.Namespace) -> int:
    from codeloop.cli.view import View

    with ExitStack() as stack:
        chat = _Chat(args, View(), stack)
        ask = _prompt() if sys.stdin.isatty() else _plain_line
        chat.greet()
        while not chat.over:
            try:
                line = ask()
            except KeyboardInterrupt:
                continue
            except EOFError:
                break
            try:
                chat.take(line.strip())
            except CodeloopError as error:
                chat.view.note(f"{error}")
    return 0


def _prompt() -> Callable[[], str]:
    """Return a function that asks for a request, with history and editing over several lines."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    from codeloop.models.catalogue import data_dir

    keys = KeyBindings()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    data_dir().mkdir(parents=True, exist_ok=True)
    session: PromptSession[str] = PromptSession(
        history=FileHistory(str(data_dir() / "history")), key_bindings=keys
    )
    return lambda: session.prompt("> ")


def _plain_line() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


class _Chat:
    """One chat: its dialogue so far, its model, its session."""

    def __init__(self, args: argparse.Namespace, view: "View", stack: ExitStack) -> None:
        self.view = view
        self.over = False
        self._args = args
        self._limits = wiring.limits(args)
        self._models = stack.enter_context(ExitStack())
        self._session: SandboxSession = stack.enter_context(
            wiring.open_session(args, interactive=sys.stdin.isatty())
        )
        self._model: Model = self._models.enter_context(
            wiring.open_model(args.model, args.base_url)
        )
        self._keyboard = wiring.Keyboard(self._session)
        self._files: list[Path] = []
        self._figures: list[bytes] = []  # shown last
        self._dialogue: Dialogue | None = None

    def greet(self) -> None:
        self.view.note(f"{self._model.name}; code runs in a jail without network. /help, ^D leaves")

    def take(self, line: str) -> None:
        """Do what a line says: a command, or a request."""
        if not line:
            return
        if not line.startswith("/"):
            self._request(line)
            return
        name, _, rest = line[1:].partition(" ")
        command = _COMMANDS.get(name)
        if command is None:
            msg = f"no command /{name}; /help lists them"
            raise ConfigError(msg)
        command(self, rest.strip())

    def _request(self, text: str) -> None:
        """Let the loop answer; ^C leaves the dialogue as of its last whole turn."""
        from codeloop.loop.critics import ExecutionCritic
        from codeloop.loop.opening import ask, request_text
        from codeloop.loop.refine import refine

        if self._dialogue is None or self._dialogue.last is None:
            dialogue = ask(text, self._files)
        else:
            said = Feedback(Source.PERSON, request_text(text, self._files))
            dialogue = self._dialogue.with_feedback(said)
        self._files = []
        self._dialogue = dialogue
        critics = [ExecutionCritic(on_success=self._args.explain)]
        events = refine(
            dialogue,
            self._model,
            self._session,
            critics,
            limits=self._limits,
            sampling=wiring.sampling(self._args),
        )
        try:
            with self._keyboard.watching(), closing(events):
                for event in events:
                    self.view.show(event)
                    self._keyboard.follow(event)
                    match event:
                        case TurnDone(dialogue=dialogue) | DialogueDone(dialogue=dialogue):
                            self._dialogue = dialogue
                        case ExecutionDone(result=result):
                            self._figures = bring.figures(result) or self._figures
                        case _:
                            pass
        except KeyboardInterrupt:
            self.view.note("\n[stopped by you]")

    def add_file(self, path: str) -> None:
        file = Path(path).expanduser()
        if not file.is_file():
            msg = f"no such file: {path}"
            raise ConfigError(msg)
        self._session.put_file(file)
        self._files.append(file)
        self.view.note(f"{file.name} lies in the work directory of the code")

    def list_files(self, _: str) -> None:
        files = self._session.list_files()
        if not files:
            self.view.note("the work directory has no files")
            return
        self.view.table(("file", "bytes"), [(file.path, f"{file.size_bytes:,}") for file in files])

    def get_file(self, words: str) -> None:
        try:
            name, *paths = shlex.split(words)
            (path,) = paths or ["."]
        except ValueError as error:
            msg = "/get NAME [PATH]: a name of /files, and where to save it; quote what has spaces"
            raise ConfigError(msg) from error
        target = Path(path).expanduser()
        if target.is_dir():
            target /= Path(name).name
        bring.save_new(target, self._session.get_file(name))
        self.view.note(f"saved to {target}")

    def save_figures(self, path: str) -> None:
        if not self._figures:
            msg = "no figure was shown yet"
            raise ConfigError(msg)
        for image in self._figures:
            target = bring.free_name(Path(path or "figure.png").expanduser())
            bring.save_new(target, image)
            self.view.note(f"saved to {target}")

    def list_variables(self, _: str) -> None:
        variables = self._session.variables()
        if not variables:
            self.view.note("the code has given no name a value")
            return
        self.view.table(
            ("name", "type", "shape", "bytes", "value"),
            [
                (
                    each.name,
                    each.type,
                    " x ".join(map(str, each.shape)),
                    f"{each.size_bytes:,}",
                    each.value,
                )
                for each in variables
            ],
        )

    def replay(self, _: str) -> None:
        try:
            with self._keyboard.watching(running=True):
                done = self._session.replay()
        except KeyboardInterrupt:
            self.view.note("\n[stopped by you]")
            return
        for each in done.differences:
            self.view.note(f"cell {each.cell} was {clean(each.before)}\n  now {clean(each.now)}")
        ending = "" if done.complete else "; the next one was stopped, or ended its process"
        self.view.note(f"{done.cells} cells ran again, {len(done.differences)} otherwise{ending}")

    def use_model(self, name: str) -> None:
        with ExitStack() as fresh:
            model = fresh.enter_context(wiring.open_model(name, self._args.base_url))
            self._models.close()
            self._models.push(fresh.pop_all().__exit__)
        self._model = model
        self.view.note(f"going on with {model.name}")

    def set_turns(self, number: str) -> None:
        from dataclasses import replace

        if not number.isdecimal() or int(number) < 1:
            msg = f"/turns takes a number from 1, not {number!r}"
            raise ConfigError(msg)
        self._limits = replace(self._limits, turns=int(number))
        self.view.note(f"up to {number} turns a request")

    def save(self, path: str) -> None:
        from codeloop.core import records

        if self._dialogue is None or not path:
            msg = "/save FILE, once there is something to save"
            raise ConfigError(msg)
        records.append(Path(path).expanduser(), [self._dialogue])
        self.view.note(f"saved to {path}")

    def reset(self, _: str) -> None:
        self._session.restart()
        self._dialogue = None
        self.view.note("a new dialogue in an empty session")

    def show_help(self, _: str) -> None:
        self.view.note(_HELP)

    def leave(self, _: str) -> None:
        self.over = True


_COMMANDS: Mapping[str, Callable[[_Chat, str], None]] = MappingProxyType(
    {
        "file": _Chat.add_file,
        "files": _Chat.list_files,
        "get": _Chat.get_file,
        "figure": _Chat.save_figures,
        "vars": _Chat.list_variables,
        "replay": _Chat.replay,
        "model": _Chat.use_model,
        "turns": _Chat.set_turns,
        "save": _Chat.save,
        "reset": _Chat.reset,
        "help": _Chat.show_help,
        "exit": _Chat.leave,
    }
)
