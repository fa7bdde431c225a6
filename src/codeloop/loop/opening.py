"""Make the opening of a dialogue from what a person asks and the files that come with it."""

from collections.abc import Iterable
from pathlib import Path

from codeloop.core.dialogue import Cell, Dialogue
from codeloop.core.errors import DataError
from codeloop.loop.prompts import result_text, sections, text

HEAD_LINES = 4
HEAD_CHARACTERS = 600


def ask(query: str, files: Iterable[Path] = ()) -> Dialogue:
    """Return a dialogue that asks the interpreter a query about files in its work directory.

    Of a text file the first lines are shown.

    Raises:
        DataError: a file cannot be read.
    """
    return Dialogue.ask(request_text(query, files), system=text("system"))


def request_text(query: str, files: Iterable[Path] = ()) -> str:
    """Return a query together with what is to be known of its files.

    Raises:
        DataError: a file cannot be read.
    """
    described = [_describe(path) for path in files]
    if not described:
        return query
    say = sections("files")
    return "\n\n".join([query, say["intro"].substitute(), *described, say["ask"].substitute()])


def own_cells_text(cells: Iterable[Cell], said: str, *, mend: bool = False) -> str:
    """Return what a person says together with the cells that they ran themselves.

    `mend` asks that the last of them be corrected.
    """
    say = sections("own_cells")
    told = []
    for cell in cells:
        result = result_text(cell.result, trimmed=False) if cell.result else ""
        told.append(say["cell"].substitute(language=cell.language, code=cell.code, result=result))
    asked = [say["mend"].substitute()] if mend else []
    return "\n\n".join(part for part in (*told, said, *asked) if part)


def _describe(path: Path) -> str:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            data = file.read(HEAD_CHARACTERS)
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise DataError(msg) from error
    say = sections("files")
    try:
        head = data.decode()
    except UnicodeDecodeError as error:
        if error.start < len(data) - 3:  # not just a character that the cut split
            return say["binary_file"].substitute(name=path.name, size=size)
        head = data[: error.start].decode()
    if "\0" in head:
        return say["binary_file"].substitute(name=path.name, size=size)
    shown = "\n".join(head.splitlines()[:HEAD_LINES])
    return say["text_file"].substitute(name=path.name, size=size, head=shown)
