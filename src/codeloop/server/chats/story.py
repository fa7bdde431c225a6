"""What a chat's events tell, folded: its dialogue, its cells, and what builds its session anew."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from codeloop.core.dialogue import (
    Cell,
    Dialogue,
    Feedback,
    Finish,
    Message,
    Role,
    Skipped,
    Source,
    Turn,
    Usage,
)
from codeloop.core.execution import ExecutionResult
from codeloop.loop.prompts import text
from codeloop.server.chats.results import Load, result_from_json
from codeloop.server.store.store import StoredEvent

PASSED_OVER = ("text.delta", "cell.output", "sandbox.state", "files.changed", "cell.input")
_OWN_WORDS = frozenset({Source.PERSON, Source.CRITIC})


@dataclass(slots=True)
class ToldCell:
    """A cell as events tell of it; without a turn it is a person's own."""

    id: str
    language: str
    code: str
    turn: str | None = None
    index: int = 0
    skipped: str | None = None
    result: ExecutionResult | None = None
    lines: list[str | None] = field(default_factory=list)  # typed when it asked


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file that was put into the work directory: its name there, and its blob."""

    name: str
    hash: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file that was removed from the work directory."""

    name: str


Deed = ToldCell | Uploaded | Dropped


@dataclass(slots=True)
class Story:
    """A chat so far. `deeds` are what a session has to go through to be as this chat's was."""

    chat: str
    load: Load | None = None
    own_as_turns: bool = False  # a person's own cells are turns of the dialogue too
    dialogue: Dialogue | None = None
    messages: int = 0
    turns: int = 0
    runs: int = 0
    cells: dict[str, ToldCell] = field(default_factory=dict)
    deeds: list[Deed] = field(default_factory=list)
    own: list[ToldCell] = field(default_factory=list)  # a person's, since the last message
    turn_ids: list[str] = field(default_factory=list)  # of the dialogue's turns
    files: dict[str, str] = field(default_factory=dict)  # uploads that lie there: name, blob
    reason: str | None = None  # why the last loop ended; None while one runs
    open_turn: str | None = None
    open_cells: dict[str, str] = field(default_factory=dict)  # begun and not ended, and their runs
    _feedback: list[Feedback] = field(default_factory=list)

    def take(self, kind: str, data: dict[str, Any]) -> None:
        """Go on by one event."""
        match kind:
            case "message.added":
                self._say(data)
            case "turn.started":
                self.turns += 1
                self.open_turn = data["turn"]
                self._feedback = []
            case "cell.added":
                self._add_cell(data)
            case "cell.started":
                self.runs += 1
                self.open_cells[data["cell"]] = data["run"]
            case "cell.typed":
                self.cells[data["cell"]].lines.append(data["line"])
            case "cell.finished":
                self._finish_cell(data)
            case "feedback.given":
                self._give_feedback(data)
            case "turn.ended":
                self._end_turn(data)
            case "loop.ended":
                self.reason, self.open_turn = data["reason"], None
            case _:
                self._take_deed(kind, data)

    def _take_deed(self, kind: str, data: dict[str, Any]) -> None:
        match kind:
            case "file.put":
                self.files[data["name"]] = data["blob"]
                self.deeds.append(Uploaded(data["name"], data["blob"]))
            case "file.dropped":
                self.files.pop(data["name"], None)
                self.deeds.append(Dropped(data["name"]))
            case "sandbox.restarted":
                self.deeds = [Uploaded(name, blob) for name, blob in self.files.items()]
            case _:
                pass

    def _say(self, data: dict[str, Any]) -> None:
        self.messages += 1
        self.reason = None
        self.own = []
        told = data.get("told") or data["text"]
        if self.dialogue is None:
            self.dialogue = replace(Dialogue.ask(told, system=text("system")), id=self.chat)
        elif self.dialogue.last is None:
            said = Message(Role.USER, told)
            self.dialogue = replace(self.dialogue, opening=(*self.dialogue.opening, said))
        else:
            self.dialogue = self.dialogue.with_feedback(Feedback(Source.PERSON, told))

    def _add_cell(self, data: dict[str, Any]) -> None:
        cell = ToldCell(
            *(data["cell"], data["language"], data["code"]),
            *(data["turn"], data["index"], data["skipped"]),
        )
        self.cells[cell.id] = cell
        if cell.turn is None:
            self.own.append(cell)

    def _finish_cell(self, data: dict[str, Any]) -> None:
        cell = self.cells[data["cell"]]
        self.open_cells.pop(cell.id, None)
        cell.result = result_from_json(data["result"], self.load)
        self.deeds.append(cell)
        if cell.turn is None and self.own_as_turns:
            begun = self.dialogue or Dialogue.ask("", system=text("system"))
            code = cell.code if cell.code.endswith("\n") else f"{cell.code}\n"
            block = replace(_as_cell(cell), code=code)  # as it stands in the fence
            said = f"```{cell.language}\n{code}```"
            turn = Turn(said, (block,), model=Source.PERSON.value)
            self.dialogue = replace(begun.with_turn(turn), id=self.chat)
            self.turn_ids.append(cell.id)

    def _give_feedback(self, data: dict[str, Any]) -> None:
        source = Source(data["source"])
        said = Feedback(source, data["text"] if source in _OWN_WORDS else "")
        if self.open_turn is not None:
            self._feedback.append(said)
        elif self.dialogue is not None and self.dialogue.turns:
            self.dialogue = self.dialogue.with_feedback(said)

    def _end_turn(self, data: dict[str, Any]) -> None:
        turn = data["turn"]
        cells = [cell for cell in self.cells.values() if cell.turn == turn]
        usage = data["usage"]
        ended = Turn(
            data["reply"],
            tuple(_as_cell(cell) for cell in sorted(cells, key=lambda cell: cell.index)),
            tuple(self._feedback),
            Usage(usage["prompt_tokens"], usage["completion_tokens"]),
            Finish(data["finish"]),
            data["model"],
        )
        self.open_turn = None
        if self.dialogue is not None:
            self.dialogue = self.dialogue.with_turn(ended)
            self.turn_ids.append(turn)


def read_story(
    chat: str,
    events: Iterable[StoredEvent],
    load: Load | None = None,
    *,
    own_as_turns: bool = False,
) -> Story:
    """Return what a chat's events tell; with `load`, results have what lies in blobs."""
    story = Story(chat, load, own_as_turns)
    for event in events:
        story.take(event.type, event.data)
    return story


def failed_cell(story: Story) -> ToldCell | None:
    """Return the cell of the last turn that failed, if one did: the one that is to be repaired."""
    last = story.turn_ids[-1] if story.turn_ids else None
    cells: Sequence[ToldCell] = [each for each in story.cells.values() if each.turn == last]
    failed = [each for each in cells if each.result is not None and each.result.status != "ok"]
    return failed[-1] if failed else None


def _as_cell(cell: ToldCell) -> Cell:
    skipped = Skipped(cell.skipped) if cell.skipped else None
    return Cell(cell.language, cell.code, cell.result, skipped)
