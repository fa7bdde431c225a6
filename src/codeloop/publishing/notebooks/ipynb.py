"""A dialogue as a Jupyter notebook (nbformat 4.5) that can be opened, run again and read back."""

import json
from typing import Any

from codeloop.core.dialogue import Cell, Dialogue, Turn
from codeloop.core.execution import Display, ExecutionResult, Status
from codeloop.core.records import to_json
from codeloop.publishing.notebooks.parts import Part, Ran, Said, Voice, fenced, parts

SCHEMA = 1
BASH = "%%bash\n"
TRACEBACK = "Traceback (most recent call last):"
_PYTHON_SPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}
_QUOTED = frozenset({Voice.JUDGE, Voice.CRITIC})


def write_ipynb(dialogue: Dialogue) -> bytes:
    """Return the notebook of a dialogue.

    Runs that failed carry the tag `raises-exception`, those that a limit ended `skip-execution`:
    so that Jupyter and nbclient run through. Code in a language that Jupyter has no magic for
    stands as text.
    """
    notebook = {
        "cells": [_cell(at, part) for at, part in enumerate(parts(dialogue))],
        "metadata": {
            "kernelspec": _PYTHON_SPEC,
            "language_info": {"name": "python"},
            "codeloop": {
                "schema": SCHEMA,
                "id": dialogue.id,
                "turns": [_facts(turn) for turn in dialogue.turns],
            },
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return (json.dumps(notebook, indent=1) + "\n").encode()


def outputs_of(result: ExecutionResult) -> list[dict[str, Any]]:
    """Return a result as the outputs of a notebook's cell; the traceback is that of its error."""
    said, trace = result.stderr.text, ""
    if result.error is not None and TRACEBACK in said:
        at = said.rindex(TRACEBACK)
        said, trace = said[:at], said[at:]
    outputs = [_stream("stdout", result.stdout.text)] if result.stdout.text else []
    outputs += [_shown(display) for display in result.displays]
    if said:
        outputs.append(_stream("stderr", said))
    if result.error is not None:
        outputs.append(
            {
                "output_type": "error",
                "ename": result.error.name,
                "evalue": result.error.message,
                "traceback": trace.split("\n") if trace else [],
            }
        )
    return outputs


def is_code(cell: Cell) -> bool:
    """Return whether a cell becomes a code cell of the notebook: what Jupyter can run."""
    return cell.language in {"python", "bash"} and (cell.result is not None or cell.skipped is None)


def _facts(turn: Turn) -> dict[str, Any]:
    """Return what of a turn no cell of the notebook holds, and how many cells it has."""
    whole = to_json(turn)
    names = ("reply", "feedback", "usage", "finish", "model", "verdict")
    return {"cells": len(turn.cells), **{name: whole[name] for name in names}}


def _cell(at: int, part: Part) -> dict[str, Any]:
    match part:
        case Said(voice, text, turn):
            ours: dict[str, Any] = {"voice": voice.value, "turn": turn}
            return _markdown(at, text if voice not in _QUOTED else _quoted(text), ours)
        case Ran(cell, turn):
            ours = {"voice": "code", "turn": turn, "language": cell.language}
            ours["skipped"] = cell.skipped.value if cell.skipped else None
            return _code(at, cell, ours) if is_code(cell) else _text(at, cell, ours)


def _code(at: int, cell: Cell, ours: dict[str, Any]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"codeloop": ours}
    result = cell.result
    if result is not None:
        ours["result"] = _without_texts(result)
        if tag := _tag(result):
            metadata["tags"] = [tag]
    return {
        "cell_type": "code",
        "id": f"cell-{at}",
        "metadata": metadata,
        "execution_count": None,
        "source": (BASH if cell.language == "bash" else "") + cell.code,
        "outputs": outputs_of(result) if result is not None else [],
    }


def _text(at: int, cell: Cell, ours: dict[str, Any]) -> dict[str, Any]:
    """Return code that Jupyter cannot run, or that was not to run, as text with what it gave."""
    blocks = [fenced(cell.code, cell.language)]
    if cell.result is not None:
        ours["result"] = to_json(cell.result)
        given = (cell.result.stdout.text, cell.result.stderr.text)
        blocks += [fenced(text, "text") for text in given if text]
    return _markdown(at, "\n\n".join(blocks), ours)


def _markdown(at: int, text: str, ours: dict[str, Any]) -> dict[str, Any]:
    metadata = {"codeloop": ours}
    return {"cell_type": "markdown", "id": f"cell-{at}", "metadata": metadata, "source": text}


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def _without_texts(result: ExecutionResult) -> dict[str, Any]:
    """Return the record of a result, but for the texts that stand in the cell's outputs."""
    whole: dict[str, Any] = to_json(result)
    del whole["displays"]
    for name in ("stdout", "stderr"):
        del whole[name]["text"]
    return whole


def _tag(result: ExecutionResult) -> str:
    match result.status:
        case Status.OK:
            return ""
        case Status.ERROR | Status.COMPILE_ERROR:
            return "raises-exception"
        case _:
            return "skip-execution"


def _stream(name: str, text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def _shown(display: Display) -> dict[str, Any]:
    data = {mime: _as_json(text) if is_json(mime) else text for mime, text in display.parts}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def is_json(mime: str) -> bool:
    """Return whether a form of that type is JSON: in a notebook its values, not their text."""
    return mime == "application/json" or mime.endswith("+json")


def _as_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # a type that says JSON, and a text that is none
        return text
