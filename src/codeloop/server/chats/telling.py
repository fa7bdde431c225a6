"""What the loop reports, told as a chat's events: the only place where one becomes the other."""

import time
from typing import Any

from codeloop.core.dialogue import Cell, Feedback, Source, Turn
from codeloop.core.errors import CodeloopError
from codeloop.core.events import (
    CodeStarted,
    DialogueDone,
    Event,
    ExecutionDone,
    FeedbackGiven,
    TextDelta,
    TurnDone,
)
from codeloop.core.execution import ExecutionResult, InputRequested, OutputChunk, Status
from codeloop.loop.prompts import sections
from codeloop.server.chats.cleaning import clean
from codeloop.server.chats.journal import Pace
from codeloop.server.chats.results import Keep, result_to_json
from codeloop.server.chats.story import Story, failed_cell


class Teller:
    """Tells of one loop, or of one cell; goes on numbering where the chat's story ends."""

    def __init__(self, pace: Pace, keep: Keep, story: Story) -> None:
        self.pace = pace
        self.alias = ""  # told in place of a model's name
        self._keep = keep
        self._turns, self._cells, self._runs = story.turns, len(story.cells), story.runs
        self._number = 0  # of the turn in this loop
        failed = failed_cell(story)
        self._repairs = failed.id if failed else None
        self._text: list[str] = []
        self._added: dict[int, str] = {}  # index in the reply: cell
        self._failed: str | None = None
        self._turn = ""
        self._began = 0.0
        self._first_token_s: float | None = None
        self._cell = self._run = ""

    @property
    def cell(self) -> str:
        """The cell that was told of last."""
        return self._cell

    @property
    def text(self) -> str:
        """What the model has written in the turn that has not ended."""
        return "".join(self._text) if self._turn else ""

    def begin_turn(self, model: str, *, of: int | None, because: str) -> None:
        """Tell that a model is asked; a second call for the same turn tells nothing."""
        if self._turn:
            return
        self._turns += 1
        self._number += 1
        self._turn = f"t{self._turns}"
        self._text, self._added, self._failed = [], {}, None
        self._began, self._first_token_s = time.monotonic(), None
        data = {"turn": self._turn, "model": model, "number": self._number, "of": of}
        why = because if self._number == 1 else "execution"
        self.pace.write("turn.started", {**data, "because": why})

    def take(self, event: Event) -> None:
        """Tell of what the loop reports."""
        match event:
            case TextDelta(text):
                if self._first_token_s is None:
                    self._first_token_s = time.monotonic() - self._began
                self._text.append(text)
                self.pace.add_text("text.delta", {"turn": self._turn}, text)
            case CodeStarted(index, language, code):
                self._add(index, Cell(language, code))
                self.start_run(code)
            case OutputChunk() | InputRequested():
                self.take_output(event)
            case ExecutionDone(_, result):
                self.finish(result)
            case FeedbackGiven(feedback):
                self.give_feedback(self._turn, feedback)
            case TurnDone(turn):
                self._end_turn(turn)
            case DialogueDone():
                pass  # the end of the loop is told with what else is known of it

    def add_own(self, language: str, code: str, attempt_of: str | None) -> str:
        """Tell of a person's own cell; return its name."""
        self._cells += 1
        self._cell = f"c{self._cells}"
        facts = {"language": language, "code": code, "skipped": None, "attempt_of": attempt_of}
        self.pace.write("cell.added", {"cell": self._cell, "turn": None, "index": 0, **facts})
        return self._cell

    def repair(self, cell: str) -> None:
        """Take the next cell of a reply for an attempt of this one."""
        self._repairs = cell

    def start_run(self, code: str) -> None:
        """Tell that the cell that was added last runs."""
        self._runs += 1
        self._run = f"r{self._runs}"
        self.pace.write("cell.started", {"cell": self._cell, "run": self._run, "code": code})
        self.pace.write("sandbox.state", {"state": "busy"})

    def take_output(self, event: OutputChunk | InputRequested) -> None:
        """Tell what the cell that runs prints, or asks for."""
        data = {"cell": self._cell, "run": self._run}
        match event:
            case OutputChunk(stream, text):
                self.pace.add_text("cell.output", {**data, "stream": stream}, clean(text))
            case InputRequested(prompt):
                self.pace.write("cell.input", {**data, "prompt": clean(prompt)})

    def finish(self, result: ExecutionResult) -> None:
        """Tell how the run ended."""
        told = result_to_json(result, self._keep)
        self.pace.write("cell.finished", {"cell": self._cell, "run": self._run, "result": told})
        if result.status is not Status.OK:
            self._failed = self._cell

    def give_feedback(self, turn: str, feedback: Feedback) -> None:
        """Tell what was said about a turn. What a run says stands in its result already."""
        text = feedback.text
        if feedback.source is Source.EXECUTION:
            ask = "ask_fix" if self._failed else "ask_continue"
            text = sections("execution")[ask].substitute()
        data = {"turn": turn, "source": feedback.source.value, "text": text}
        self.pace.write("feedback.given", data)

    def cut_turn(self, model: str, usage: dict[str, int]) -> None:
        """Tell of a turn that a person stopped: what was written of its reply stays."""
        self._say_ended(self.text, "cancelled", usage, model)

    def fail(self, error: CodeloopError, where: str) -> None:
        """Tell that something of ours failed."""
        self.pace.write("error", {"where": where, "message": clean(str(error))})

    def _add(self, index: int, cell: Cell) -> None:
        self._cells += 1
        self._cell = self._added[index] = f"c{self._cells}"
        runs = cell.skipped is None
        data: dict[str, Any] = {"cell": self._cell, "turn": self._turn, "index": index}
        data |= {"language": cell.language, "code": cell.code}
        data["skipped"] = cell.skipped.value if cell.skipped else None
        data["attempt_of"] = self._repairs if runs else None
        if runs:
            self._repairs = None
        self.pace.write("cell.added", data)

    def _end_turn(self, turn: Turn) -> None:
        for index, cell in enumerate(turn.cells):
            if index not in self._added:
                self._add(index, cell)
        usage = {
            "prompt_tokens": turn.usage.prompt_tokens,
            "completion_tokens": turn.usage.completion_tokens,
        }
        self._repairs = self._failed
        self._say_ended(turn.reply, turn.finish.value, usage, turn.model)

    def _say_ended(self, reply: str, finish: str, usage: dict[str, int], model: str) -> None:
        data: dict[str, Any] = {"turn": self._turn, "reply": reply, "finish": finish}
        data |= {
            "usage": usage,
            "model": self.alias or model,
            "seconds": round(time.monotonic() - self._began, 4),
        }
        first = self._first_token_s
        data["first_token_s"] = None if first is None else round(first, 4)
        self._turn = ""
        self.pace.write("turn.ended", data)
