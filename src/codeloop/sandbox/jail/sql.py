"""A run of SQL: statements one by one on the session's database, their rows as tables."""

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from codeloop.sandbox.jail import root

if TYPE_CHECKING:
    import sqlite3

_FLUSH_ROWS = 1000
_WIDEST = 60
_WIDTHS_FROM = 1000  # rows that a table's columns are measured by


def prepare(code: bytes) -> Callable[[], object]:
    """Return the program that runs the statements."""
    return partial(_run, code.decode("utf-8", "replace"))


def _run(code: str) -> None:
    import sqlite3  # noqa: PLC0415  not for the programs that do without

    status = 0
    database = sqlite3.connect(f"{root.work()}/main.db", isolation_level=None)
    try:
        for line, statement in _statements(code, sqlite3.complete_statement):
            status = _execute(database, line, statement)
            if status:
                break
    finally:
        database.close()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _statements(code: str, is_complete: Callable[[str], bool]) -> Iterator[tuple[int, str]]:
    """Yield each statement with the line that it begins on."""
    begin = at = 0
    while (end := code.find(";", at)) >= 0:
        at = end + 1
        if is_complete(code[begin:at]):
            yield _with_line(code, begin, at)
            begin = at
    if code[begin:].strip():
        yield _with_line(code, begin, len(code))


def _with_line(code: str, begin: int, end: int) -> tuple[int, str]:
    text = code[begin:end]
    blank = len(text) - len(text.lstrip())
    return code.count("\n", 0, begin + blank) + 1, text


def _execute(database: "sqlite3.Connection", line: int, statement: str) -> int:
    """Run one statement and print its rows; return the exit status that it leads to."""
    import sqlite3  # noqa: PLC0415

    try:
        rows = database.execute(statement)
        if rows.description is not None:
            _print_table([column[0] for column in rows.description], rows)
    except (sqlite3.Error, sqlite3.Warning) as error:
        sys.stdout.flush()
        sys.stderr.write(f"line {line}: {type(error).__name__}: {error}\n")
        return 1
    return 0


def _print_table(names: list[str], rows: "sqlite3.Cursor") -> None:
    """Print a table as Markdown has it; the widths are those of its first rows."""
    first = [[_text(value) for value in row] for row in rows.fetchmany(_WIDTHS_FROM)]
    widths = [
        min(_WIDEST, max([len(name), 3, *(len(row[at]) for row in first)]))
        for at, name in enumerate(names)
    ]
    _print_row(names, widths)
    _print_row(["-" * width for width in widths], widths)
    for cells in first:
        _print_row(cells, widths)
    while more := rows.fetchmany(_FLUSH_ROWS):
        for row in more:
            _print_row([_text(value) for value in row], widths)


def _print_row(cells: list[str], widths: list[int]) -> None:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    sys.stdout.write(f"| {' | '.join(padded)} |\n")


def _text(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    return str(value).replace("\n", "\\n").replace("|", "\\|")
