"""A dialogue as a Python file in the percent format, which editors and Jupytext show as cells."""

import ast
from collections.abc import Iterator

from codeloop.core.dialogue import Cell, Dialogue
from codeloop.core.execution import Status
from codeloop.publishing.notebooks.parts import Ran, Said, fenced, how_it_ended, parts

_MAGICS = ("%", "!")


def write_script(dialogue: Dialogue) -> bytes:
    """Return the script of a dialogue: what ran well is code, and all else is comment.

    So the file runs from its top to its end. An attempt that failed stands in a comment, since a
    script, unlike a notebook, would end there.
    """
    cells = [text for part in parts(dialogue) for text in _cells(part)]
    return ("\n\n".join(cells) + "\n").encode(errors="replace")


def _cells(part: Said | Ran) -> Iterator[str]:
    match part:
        case Said(voice, text):
            yield _comment(f"{voice.value}: {text}")
        case Ran(cell) if _runs(cell):
            yield f"# %%\n{_plain(cell.code)}".rstrip("\n")
        case Ran(cell):
            why = how_it_ended(cell.result) if cell.result else "not run"
            yield _comment(f"{why or 'ok'}:\n{fenced(cell.code, cell.language)}")


def _runs(cell: Cell) -> bool:
    if cell.language != "python" or cell.skipped is not None:
        return False
    return cell.result is None or cell.result.status is Status.OK


def _plain(code: str) -> str:
    """Return code without lines that only a notebook takes: they become comments."""
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    else:
        return code
    lines = code.split("\n")
    return "\n".join(f"# {line}" if line.lstrip().startswith(_MAGICS) else line for line in lines)


def _comment(text: str) -> str:
    lines = text.replace("\r", "\n").split("\n")
    return "\n".join(["# %% [markdown]", *(f"# {line}".rstrip() for line in lines)])
