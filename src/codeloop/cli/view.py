"""Print the events of the loop for a person."""

import sys
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from codeloop.cli.terminal import Cleaner, clean
from codeloop.core.dialogue import Finish
from codeloop.core.events import (
    CodeStarted,
    DialogueDone,
    EndReason,
    Event,
    ExecutionDone,
    TextDelta,
    TurnDone,
)
from codeloop.core.execution import ExecutionResult, OutputChunk, Status

ENDINGS = {
    EndReason.ANSWERED: "answered",
    EndReason.GAVE_UP: "the model gave up: its last run failed, and it wrote no more code",
    EndReason.EMPTY_REPLY: "the model's reply was empty",
    EndReason.TURN_LIMIT: "turn limit reached",
    EndReason.TIME_LIMIT: "time limit reached",
    EndReason.TOKEN_LIMIT: "token limit reached",
    EndReason.SAME_ERROR: "stopped: the same error came twice in a row",
    EndReason.SAME_CODE: "stopped: the model wrote the same code twice in a row",
    EndReason.INTERRUPTED: "interrupted by you",
}

SKIPPED_NOTES = {
    "no_runner": "no runner for {language}",
    "cut_off": "the reply was cut off inside it",
    "earlier_failed": "a block before it failed",
    "repeated": "the same code as before",
    "time_up": "the time is up",
}

CUTS = {
    Finish.LENGTH: "it reached --max-tokens, or the end of the model's context",
    Finish.FILTER: "the endpoint refused to go on",
    Finish.REPEATING: "the model wrote the same lines over and over",
    Finish.CANCELLED: "the time is up",
}


class View:
    """Prints events as they come; colours only where the terminal has them."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._console = Console(file=stream or sys.stdout, highlight=False, soft_wrap=True)
        self._cleaner = Cleaner()
        self._at_line_start = True

    def show(self, event: Event) -> None:
        match event:
            case TextDelta(text):
                self._write(self._cleaner.clean(text))
            case CodeStarted(language=language):
                self._line(f"── running {clean(language)} ──", "cyan")
                self._cleaner = Cleaner()
            case OutputChunk(stream, text):
                self._write(self._cleaner.clean(text), "red" if stream == "stderr" else "")
            case ExecutionDone(result=result):
                self._result(result)
            case TurnDone(turn=turn):
                if turn.finish in CUTS:
                    self._line(f"── the reply was cut: {CUTS[turn.finish]} ──", "yellow")
                for cell in turn.cells:
                    if cell.skipped is not None and cell.skipped.value in SKIPPED_NOTES:
                        note = SKIPPED_NOTES[cell.skipped.value].format(language=cell.language)
                        self._line(f"── a code block was not run: {clean(note)} ──", "yellow")
                self._cleaner = Cleaner()
                self._line()
            case DialogueDone(dialogue, reason):
                tokens = sum(turn.usage.total_tokens for turn in dialogue.turns)
                turns = f"{len(dialogue.turns)} turn{'s' * (len(dialogue.turns) != 1)}"
                style = "green" if reason is EndReason.ANSWERED else "yellow"
                self._line(f"[{ENDINGS[reason]}; {turns}, {tokens} tokens]", style)
            case _:
                pass

    def note(self, text: str) -> None:
        """Print a line that is ours, not the model's."""
        self._line(text, "dim")

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table of what a guest says: each cell in one line, in plain text."""
        self._line()
        table = Table(*heads, box=None, header_style="dim")
        for row in rows:
            table.add_row(*(Text(" ".join(clean(cell).split())) for cell in row))
        self._console.print(table)

    def _result(self, result: ExecutionResult) -> None:
        for display in result.displays:
            self._line(clean(display.text()))
        took = f"{result.wall_s:.2f} s"
        if result.status is Status.OK:
            self._line(f"── ok, {took} ──", "green")
        else:
            self._line(f"── {result.status.value.replace('_', ' ')}, {took} ──", "red")
        if result.state_lost:
            self._line("── the variables of this session are gone ──", "yellow")
        self._cleaner = Cleaner()

    def _line(self, text: str = "", style: str = "") -> None:
        if not self._at_line_start:
            self._write("\n")
        if text:
            self._write(f"{text}\n", style)

    def _write(self, text: str, style: str = "") -> None:
        if text:
            self._console.print(Text(text, style=style), end="")
            self._console.file.flush()
            self._at_line_start = text.endswith("\n")
