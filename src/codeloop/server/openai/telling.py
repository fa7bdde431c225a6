"""What the loop reports, told as the events of Responses, and the response that they add up to."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from codeloop.core.dialogue import Finish, Turn
from codeloop.core.events import (
    CodeStarted,
    DialogueDone,
    Event,
    ExecutionDone,
    TextDelta,
    TurnDone,
)
from codeloop.core.execution import ExecutionResult, Status
from codeloop.publishing.notebooks.parts import fenced, how_it_ended
from codeloop.server.openai.completions import sum_usage
from codeloop.server.openai.functions import CALL, NONE, Functions
from codeloop.server.openai.prose import Prose

Said = dict[str, Any]

_CALL = "response.code_interpreter_call"
_FUNCTION = "response.function_call_arguments"
_RAN = frozenset({Status.OK, Status.ERROR, Status.COMPILE_ERROR})
_PICTURES = ("image/png", "image/jpeg")


@dataclass(slots=True)
class Telling:
    """Tells of one response; `container` names where its code runs, empty if none does."""

    response: Said
    say: Callable[[Said], None]
    container: str = ""
    languages: frozenset[str] = frozenset()
    new_files: Callable[[], Sequence[Said]] = tuple  # as annotations
    _number: int = 0
    _prose: Prose = field(default_factory=lambda: Prose(frozenset()))
    _message: Said | None = None
    _call: Said | None = None
    _turn_over: bool = False
    _functions: Functions = NONE
    _called: list[tuple[str, str, str]] = field(default_factory=list)  # name, arguments, block
    _cut: Finish = Finish.STOP
    turns: list[Turn] = field(default_factory=list)

    @property
    def output(self) -> list[Said]:
        """The items so far."""
        return self.response["output"]  # type: ignore[no-any-return]

    def begin(self) -> None:
        self._whole("response.created")
        self._whole("response.in_progress")

    def run_in(
        self, container: str, languages: frozenset[str], new_files: Callable[[], Sequence[Said]]
    ) -> None:
        """Tell of code of these languages as calls in a container, which may leave files there."""
        self.container, self.languages, self.new_files = container, languages, new_files
        self._prose = Prose(self._held)

    def offer(self, functions: Functions) -> None:
        """Tell of calls of these functions as items of their own."""
        self._functions = functions
        self._prose = Prose(self._held)

    @property
    def _held(self) -> frozenset[str]:
        """The languages whose blocks are held back: they become items."""
        return self.languages | {CALL} if self._functions.told else self.languages

    def take(self, event: Event) -> None:
        """Tell of what the loop reports."""
        match event:
            case TextDelta(text):
                self._let_go()
                self._add_text(self._prose.feed(text))
            case CodeStarted(_, _, code):
                self._add_text(self._prose.end())
                self._close_message()
                self._begin_call(code)
            case ExecutionDone(_, result):
                self._end_call(result)
            case TurnDone(turn):
                self._end_turn(turn)
            case DialogueDone(_, reason):
                self.response["codeloop"] = {"reason": reason.value, "turns": len(self.turns)}
                self._cite()
                self._tell_calls()
            case _:
                pass

    def end(self, status: str, error: Said | None = None) -> None:
        """Tell that it is over: completed, failed or cancelled."""
        if self._call is not None:
            self._finish(self._call, "incomplete")
            self._call = None
        self._close_message()
        response = self.response
        if status == "completed" and self._cut is Finish.LENGTH:
            status = "incomplete"
            response["incomplete_details"] = {"reason": "max_output_tokens"}
        response |= {"status": status, "error": error}
        response["usage"] = _usage(self.turns)
        told = "response.failed" if status == "cancelled" else f"response.{status}"
        self._whole(told)

    def _end_turn(self, turn: Turn) -> None:
        self._add_text(self._prose.end())
        for cell in turn.cells:
            called = self._functions.called(cell.code) if cell.language == CALL else None
            if called is not None:
                self._called.append((*called, cell.code))
            elif cell.result is None and cell.language in self._held:  # and not run after all
                self._add_text(f"\n\n{fenced(cell.code, cell.language)}\n")
        self.turns.append(turn)
        self._cut = turn.finish
        self._turn_over = True

    def _let_go(self) -> None:
        """Show calls as text after which the loop went on: nobody has answered them."""
        called, self._called = self._called, []
        for _, _, block in called:
            self._add_text(f"\n\n{fenced(block, CALL)}\n")

    def _tell_calls(self) -> None:
        called, self._called = self._called, []
        if called:
            self._close_message()
        for name, arguments, _ in called:
            call_id = f"call_{secrets.token_hex(12)}"
            call = _item("fc", "function_call", call_id=call_id, name=name, arguments="")
            self._add_item(call)
            self._say_item(f"{_FUNCTION}.delta", call, delta=arguments)
            call["arguments"] = arguments
            self._say_item(f"{_FUNCTION}.done", call, name=name, arguments=arguments)
            self._finish(call, "completed")

    def _add_text(self, text: str) -> None:
        if not text or (self._message is None and not text.strip()):
            return
        if self._turn_over:
            self._close_message()
        message = self._message or self._open_message()
        message["content"][0]["text"] += text
        self._say_text("response.output_text.delta", delta=text, logprobs=[])

    def _open_message(self) -> Said:
        self._turn_over = False
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        message = _item("msg", "message", role="assistant", content=[])
        self._message = message
        self._add_item(message)
        message["content"].append(part)
        self._say_text("response.content_part.added", part=dict(part))
        return message

    def _close_message(self) -> None:
        message, self._turn_over = self._message, False
        if message is None:
            return
        part = message["content"][0]
        self._say_text("response.output_text.done", text=part["text"], logprobs=[])
        self._say_text("response.content_part.done", part=dict(part))
        self._message = None
        self._finish(message, "completed")

    def _begin_call(self, code: str) -> None:
        facts = {"code": "", "container_id": self.container, "outputs": None}
        call = self._call = _item("ci", "code_interpreter_call", **facts)
        self._add_item(call)
        self._say_call(f"{_CALL}.in_progress")
        self._say_call(f"{_CALL}_code.delta", delta=code)
        call["code"] = code
        self._say_call(f"{_CALL}_code.done", code=code)
        call["status"] = "interpreting"
        self._say_call(f"{_CALL}.interpreting")

    def _end_call(self, result: ExecutionResult) -> None:
        call, self._call = self._call, None
        if call is None:
            return
        call["outputs"] = outputs_of(result)
        self._say_item(f"{_CALL}.completed", call)
        if result.status in _RAN:
            self._finish(call, "completed")
        else:
            stopped = result.status is Status.INTERRUPTED
            self._finish(call, "incomplete" if stopped else "failed")

    def _cite(self) -> None:
        """Name the files that the code has made, in the last message."""
        files = self.new_files()
        if not files:
            return
        message = self._message or self._open_message()
        text = message["content"][0]["text"]
        for at, cited in enumerate(files):
            start = max(0, text.find(cited["filename"]))
            found = cited["filename"] in text
            end = start + len(cited["filename"]) if found else start
            annotation = {**cited, "start_index": start, "end_index": end}
            message["content"][0]["annotations"].append(annotation)
            name = "response.output_text.annotation.added"
            self._say_text(name, annotation=annotation, annotation_index=at)

    def _add_item(self, item: Said) -> None:
        self.output.append(item)
        self._say("response.output_item.added", output_index=self._at(item), item=_copy(item))

    def _finish(self, item: Said, status: str) -> None:
        item["status"] = status
        self._say("response.output_item.done", output_index=self._at(item), item=_copy(item))

    def _say_text(self, kind: str, **facts: Any) -> None:
        if self._message is not None:
            self._say_item(kind, self._message, content_index=0, **facts)

    def _say_call(self, kind: str, **facts: Any) -> None:
        if self._call is not None:
            self._say_item(kind, self._call, **facts)

    def _say_item(self, kind: str, item: Said, **facts: Any) -> None:
        self._say(kind, item_id=item["id"], output_index=self._at(item), **facts)

    def _whole(self, kind: str) -> None:
        self._say(kind, response=_copy(self.response))

    def _at(self, item: Said) -> int:
        return next(at for at, each in enumerate(self.output) if each is item)

    def _say(self, kind: str, **facts: Any) -> None:
        self.say({"type": kind, "sequence_number": self._number, **facts})
        self._number += 1


def outputs_of(result: ExecutionResult) -> list[Said]:
    """Return what a run gave as the outputs of a call: logs, and pictures as data URIs."""
    pictures, texts = [], [result.stdout.text]
    for display in result.displays:
        forms = dict(display.parts)
        held = next((mime for mime in _PICTURES if mime in forms), None)
        if held is None:
            texts.append(f"{display.text()}\n")
        else:
            data = "".join(forms[held].split())
            pictures.append({"type": "image", "url": f"data:{held};base64,{data}"})
    texts.append(result.stderr.text)
    if result.status not in {Status.OK, Status.ERROR} or not any(texts):
        texts.append(how_it_ended(result))
    logs = "".join(texts)
    return [*([{"type": "logs", "logs": logs}] if logs else []), *pictures]


def _usage(turns: Sequence[Turn]) -> Said:
    total = sum_usage(turn.usage for turn in turns)
    return {
        "input_tokens": total.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": total.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": total.total_tokens,
    }


def _item(prefix: str, kind: str, **facts: Any) -> Said:
    name = f"{prefix}_{secrets.token_hex(12)}"
    return {"id": name, "type": kind, "status": "in_progress", **facts}


def _copy(said: Any) -> Any:
    """Return a copy, since what it is of goes on changing."""
    if isinstance(said, dict):
        return {name: _copy(value) for name, value in said.items()}
    return [_copy(each) for each in said] if isinstance(said, list) else said
