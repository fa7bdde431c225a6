"""What a client sends of an exchange so far, as a dialogue: texts, and code with what it gave."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from codeloop.core.codeblocks import CodeBlock, find_blocks, split_text
from codeloop.core.dialogue import Cell, Dialogue, Feedback, Message, Role, Source, Turn
from codeloop.core.execution import ExecutionResult, Output, Status
from codeloop.loop.opening import request_text
from codeloop.loop.prompts import text as prompt_text
from codeloop.publishing.notebooks.markdown import result_markdown
from codeloop.publishing.notebooks.parts import fenced
from codeloop.server.openai.functions import call_text
from codeloop.server.refusals import RefusalError

_OUTPUT = re.compile(r"output (\w+) of (\d{1,4})")
_SHOWN = re.compile(r"!\[picture\]\([^)\s]*\)|\*[a-z0-9 :]+\*")
_TEXTS = frozenset({"text", "input_text", "output_text"})
_SYSTEM = frozenset({"system", "developer"})


@dataclass(slots=True)
class History:
    """A dialogue that is put together from what a client sends, message by message."""

    opening: list[Message] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)

    def take(self, role: str, text: str) -> None:
        """Go on by one message.

        Raises:
            RefusalError: nobody has that role.
        """
        if role in _SYSTEM and not self.turns:
            self.opening.append(Message(Role.SYSTEM, text))
        elif role == "assistant":
            self._show_runs()
            self.turns += read_back(text)
        elif role != "user" and role not in _SYSTEM:
            raise RefusalError(400, f"role {role!r} is not one of system, user, assistant")
        elif self.turns:
            self.turns.append(self.turns.pop().with_feedback(Feedback(Source.PERSON, text)))
        else:
            self.opening.append(Message(Role.USER, text))

    def take_run(self, code: str, result: ExecutionResult | None) -> None:
        """Go on by code that was run, which the last reply holds."""
        cell = Cell("python", code if code.endswith("\n") else f"{code}\n", result)
        last = self.turns.pop() if self.turns and not self.turns[-1].feedback else Turn("")
        reply = f"{last.reply}\n\n{fenced(cell.code, 'python')}".strip("\n")
        self.turns.append(replace(last, reply=reply, cells=(*last.cells, cell)))

    def take_call(self, name: str, arguments: str) -> None:
        """Go on by a function's call, which the last reply holds.

        Raises:
            RefusalError: its arguments are no JSON.
        """
        last = self.turns.pop() if self.turns and not self.turns[-1].feedback else Turn("")
        reply = f"{last.reply}\n\n{call_text(name, arguments)}".strip("\n")
        self.turns.append(replace(last, reply=reply))

    def _show_runs(self) -> None:
        """Let the model see what the code of its last reply gave, before what it said next."""
        if self.turns and self.turns[-1].ran and not self.turns[-1].feedback:
            self.turns.append(self.turns.pop().with_feedback(Feedback(Source.EXECUTION)))

    def tell_files(self, paths: Sequence[Path]) -> None:
        """Add to the last request what is to be known of files that came with it.

        Raises:
            DataError: a file cannot be read.
        """
        if self.turns:
            *before, said = self.turns[-1].feedback
            told = Feedback(said.source, request_text(said.text, paths))
            self.turns.append(replace(self.turns.pop(), feedback=(*before, told)))
            return
        for at in range(len(self.opening) - 1, -1, -1):
            if self.opening[at].role is Role.USER:
                text = request_text(self.opening[at].content, paths)
                self.opening[at] = Message(Role.USER, text)
                return

    def dialogue(self, *, runs_code: bool) -> Dialogue:
        """Return it all as a dialogue; where code runs, the interpreter's own words open it.

        Raises:
            RefusalError: nobody asks anything.
        """
        system = [each.content for each in self.opening if each.role is Role.SYSTEM]
        asked = [each for each in self.opening if each.role is Role.USER]
        if not asked:
            raise RefusalError(400, "nobody asks anything: send a message of the user")
        if self.turns and not any(f.source is Source.PERSON for f in self.turns[-1].feedback):
            raise RefusalError(400, "the last message is not the user's")
        if runs_code:
            system.insert(0, prompt_text("system"))
        first = [Message(Role.SYSTEM, "\n\n".join(system))] if system else []
        return Dialogue((*first, *asked), tuple(self.turns))


def content_text(content: Any) -> str:
    """Return the text of a message's content: a text, or parts that are texts.

    Raises:
        RefusalError: there is something else in it.
    """
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise RefusalError(400, "content: a text, or a list of parts, is wanted")
    return "".join(_part_text(part) for part in content)


def _part_text(part: Any) -> str:
    kind = str(part.get("type")) if isinstance(part, dict) else ""
    if kind in {"refusal", "input_file", "image_url", "input_image", "input_audio"}:
        raise RefusalError(
            400, f"content of type {kind} is not supported: put files in a container"
        )
    if kind not in _TEXTS or not isinstance(part.get("text"), str):
        raise RefusalError(400, "content: each part is a text")
    return str(part["text"])


def told_result(index: int, result: ExecutionResult) -> str:
    """Return what a run gave, as the text of a reply shows it to a client; see `read_back`."""
    return result_markdown(result, of=index + 1)


def read_back(text: str) -> tuple[Turn, ...]:
    """Return the turns of a reply that was sent with what its code gave.

    So a model is told of a run as after any other, and never learns to write outputs itself. A
    reply of anyone else is one turn without runs.
    """
    turns: list[Turn] = []
    said: list[str] = []
    results: dict[int, ExecutionResult] = {}
    for piece in split_text(text):
        if isinstance(piece, CodeBlock) and (found := _OUTPUT.fullmatch(piece.info)):
            results[int(found[2]) - 1] = _result(found[1], piece.code)
            continue
        if results:
            piece = _SHOWN.sub("", piece).strip("\n") if isinstance(piece, str) else piece  # noqa: PLW2901
            if not piece:
                continue
            turns.append(_turn(said, results))
            said, results = [], {}
        said.append(fenced(piece.code, piece.info) if isinstance(piece, CodeBlock) else piece)
    if said or results:
        turns.append(_turn(said, results))
    return tuple(turns)


def _turn(said: list[str], results: dict[int, ExecutionResult]) -> Turn:
    reply = "\n\n".join(piece.strip("\n") for piece in said)
    cells = tuple(
        Cell(block.language or "python", block.code, results.get(at))
        for at, block in enumerate(find_blocks(reply))
    )
    feedback = (Feedback(Source.EXECUTION),) if results else ()
    return Turn(reply, cells, feedback)


def _result(status: str, text: str) -> ExecutionResult:
    known = Status(status) if status in set(Status) else Status.ERROR
    return ExecutionResult(known, Output(text, len(text.encode(errors="replace"))))


def runs_of(dialogue: Dialogue) -> Iterator[tuple[str, str, ExecutionResult]]:
    """Yield the language, code and result of what a dialogue has run."""
    for turn in dialogue.turns:
        for cell in turn.cells:
            if cell.result is not None:
                yield cell.language, cell.code, cell.result
