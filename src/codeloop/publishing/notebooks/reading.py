"""A Jupyter notebook as a dialogue: one of ours, with what was edited since, or any other."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from codeloop.core.codeblocks import CodeBlock, find_blocks
from codeloop.core.dialogue import Cell, Dialogue, Feedback, Message, Role, Skipped, Source, Turn
from codeloop.core.execution import Display, ExecutionResult, GuestError, Output, Status
from codeloop.core.records import from_json
from codeloop.loop.prompts import sections
from codeloop.publishing.notebooks.ipynb import BASH, SCHEMA, is_json, outputs_of
from codeloop.publishing.notebooks.parts import Ran, Voice, fenced, reply_parts

_ROLES = {"system": Role.SYSTEM, "user": Role.USER, "model": Role.ASSISTANT}
_FORMAT = 4
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(slots=True)
class _Draft:
    """A turn while it is read: its reply in pieces, its cells, what persons say about it."""

    pieces: list[str] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    persons: list[str] = field(default_factory=list)


def read_ipynb(data: bytes, *, name: str) -> Dialogue:
    """Return the dialogue that a notebook holds.

    One of ours comes back as it was written; where its text or code was edited, that is what the
    model has said. Any other becomes one turn, which a request opens that tells its `name`.

    Raises:
        ValueError: it is no notebook of format 4; the text says why.
    """
    notebook = _notebook(data)
    ours = _ours(notebook)
    opening: list[Message] = []
    drafts: dict[int, _Draft] = {}
    number = 0
    for cell in notebook["cells"]:
        told = _told(cell)
        if told.get("turn") is None and told.get("voice") in _ROLES:
            opening.append(Message(_ROLES[str(told["voice"])], _source(cell)))
            continue
        turn = told.get("turn")
        number = turn if isinstance(turn, int) else number
        _take(cell, told, drafts.setdefault(number, _Draft()))
    if not any(message.role is Role.USER for message in opening):
        said = sections("notebook")["opening"].substitute(name=name)
        opening.append(Message(Role.USER, said))
    stored = dict(enumerate(ours.get("turns", ())))
    read = [_turn(drafts.get(at, _Draft()), stored.get(at)) for at in sorted({*drafts, *stored})]
    turns = tuple(turn for turn in read if turn is not None)
    known = {"id": ours["id"]} if isinstance(ours.get("id"), str) else {}
    return Dialogue(tuple(opening), turns, **known)


def _notebook(data: bytes) -> dict[str, Any]:
    try:
        notebook = json.loads(data)
    except RecursionError as error:
        msg = "nested too deep"
        raise ValueError(msg) from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or notebook.get("nbformat") != _FORMAT:
        msg = f"not a notebook of format {_FORMAT}"
        raise ValueError(msg)
    for at, cell in enumerate(cells, 1):
        if not isinstance(cell, dict) or not isinstance(cell.get("source"), str | list):
            msg = f"cell {at} has no source"
            raise ValueError(msg)  # noqa: TRY004  the caller learns of one kind of error
    return notebook  # type: ignore[no-any-return]


def _ours(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return what we have written about the whole notebook, if we can read it."""
    metadata = notebook.get("metadata")
    ours = metadata.get("codeloop") if isinstance(metadata, dict) else None
    if not isinstance(ours, dict) or ours.get("schema") != SCHEMA:
        return {}
    return ours if isinstance(ours.get("turns"), list) else {}


def _told(cell: dict[str, Any]) -> dict[str, Any]:
    """Return what we have written about a cell; nothing if it is not ours."""
    metadata = cell.get("metadata")
    told = metadata.get("codeloop") if isinstance(metadata, dict) else None
    return told if isinstance(told, dict) else {}


def _source(cell: dict[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(map(str, source))


def _take(cell: dict[str, Any], told: dict[str, Any], draft: _Draft) -> None:
    """Add a cell of the notebook to the turn that it belongs to."""
    source = _source(cell)
    if cell.get("cell_type") == "code":
        language = "bash" if source.startswith(BASH) else "python"
        code = source.removeprefix(BASH) if language == "bash" else source
        _add(draft, Cell(language, _ended(code), _result(cell, told)))
    elif told.get("voice") == "code":
        blocks = find_blocks(source) or (CodeBlock("", source),)
        skipped = Skipped(told["skipped"]) if told.get("skipped") in set(Skipped) else None
        _add(draft, Cell(blocks[0].language, blocks[0].code, _stored(told), skipped))
    elif told.get("voice") == Voice.PERSON:
        draft.persons.append(source)
    elif told.get("voice") not in {Voice.JUDGE, Voice.CRITIC} and source.strip():
        draft.pieces.append(source)


def _add(draft: _Draft, cell: Cell) -> None:
    draft.cells.append(cell)
    draft.pieces.append(fenced(cell.code, cell.language))


def _ended(code: str) -> str:
    return code if not code or code.endswith("\n") else f"{code}\n"


def _turn(draft: _Draft, stored: Any) -> Turn | None:
    """Return a turn; what is stored of it holds as far as the cells still say the same.

    One whose cells were all deleted is gone.
    """
    written = "\n\n".join(draft.pieces)
    cells = tuple(draft.cells)
    try:
        before = from_json(Turn, {**stored, "cells": []}) if stored else Turn("")
    except (ValueError, TypeError):  # edited by hand
        before = Turn("")
    reply = before.reply if _says_the_same(before.reply, draft) else written
    if not draft.pieces and reply != before.reply:
        return None
    texts_alone = isinstance(stored, dict) and stored.get("cells") == 0
    if texts_alone and reply == before.reply and not any(cell.result for cell in cells):
        cells = ()
    persons = [each for each in before.feedback if each.source is Source.PERSON]
    feedback = before.feedback
    if [each.text for each in persons] != draft.persons:
        others = tuple(each for each in feedback if each.source is not Source.PERSON)
        feedback = (*others, *(Feedback(Source.PERSON, text) for text in draft.persons))
    return replace(before, reply=reply, cells=cells, feedback=feedback)


def _says_the_same(reply: str, draft: _Draft) -> bool:
    before = Turn(reply, tuple(draft.cells))
    pieces = [
        fenced(part.cell.code, part.cell.language) if isinstance(part, Ran) else part.text
        for part in reply_parts(before, 0)
    ]
    return pieces == draft.pieces


def _result(cell: dict[str, Any], told: dict[str, Any]) -> ExecutionResult | None:
    """Return what a code cell's outputs say; with what we know besides, if they are as we wrote."""
    outputs = cell.get("outputs")
    outputs = [each for each in outputs if isinstance(each, dict)] if outputs else []
    seen = _seen(outputs)
    stored = _stored(told)
    if stored is not None:
        whole = replace(
            stored,
            stdout=replace(stored.stdout, text=seen.stdout.text),
            stderr=replace(stored.stderr, text=seen.stderr.text),
            displays=seen.displays,
        )
        if outputs_of(whole) == outputs_of(seen):
            return whole
    ran = bool(outputs) or cell.get("execution_count") is not None
    return seen if ran else None


def _stored(told: dict[str, Any]) -> ExecutionResult | None:
    try:
        return from_json(ExecutionResult, told["result"]) if told.get("result") else None
    except ValueError:  # edited by hand
        return None


def _seen(outputs: list[dict[str, Any]]) -> ExecutionResult:
    """Return a result that holds what the outputs show."""
    texts = {"stdout": "", "stderr": ""}
    displays: list[Display] = []
    error = None
    for output in outputs:
        match output:
            case {"output_type": "stream", "name": "stdout" | "stderr" as name, "text": text}:
                texts[name] += _text(text)
            case {"output_type": "error"}:
                error = GuestError(_text(output.get("ename")), _text(output.get("evalue")))
                trace = "\n".join(map(str, output.get("traceback") or ()))
                texts["stderr"] += _COLOURS.sub("", trace)
            case {"output_type": "display_data" | "execute_result", "data": dict(data)}:
                displays.append(Display(tuple(_forms(data))))
            case _:
                pass
    stdout, stderr = (Output(text, len(text.encode(errors="replace"))) for text in texts.values())
    status = Status.OK if error is None else Status.ERROR
    return ExecutionResult(status, stdout, stderr, error=error, displays=tuple(displays))


def _forms(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for mime, value in data.items():
        yield mime, json.dumps(value) if is_json(mime) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "".join(map(str, value))
    return "" if value is None else str(value)
