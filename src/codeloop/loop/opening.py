"""Make the opening of a dialogue from what a person asks and the files that come with it."""

from collections.abc import Iterable
from pathlib import Path

from codeloop.core.dialogue import Dialogue
from codeloop.core.errors import DataError
from codeloop.loop.prompts import sections, text

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
