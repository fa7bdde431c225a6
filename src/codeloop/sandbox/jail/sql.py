"""A run of SQL: statements one by one on the session's database, their rows as tables."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

from codeloop.sandbox.jail import root

# The columns with which DuckDB answers what is no query.
_NOTHING_TO_SHOW: tuple[list[str], ...] = ([], ["Count"], ["Success"])
_FLUSH_ROWS = 1000
_WIDEST = 60
_WIDTHS_FROM = 1000  # rows that a table's columns are measured by


class Engine(NamedTuple):
    """What runs statements."""

    split: Callable[[str], Iterator[str]]  # into statements that make up the whole
    execute: Callable[[str], Any]  # returns a cursor, or None where there is nothing to show
    close: Callable[[], None]
    errors: tuple[type[Exception], ...]


def prepare(code: bytes, engine: str) -> Callable[[], object]:
    """Return the program that runs the statements."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    opened = {"sql": _sqlite, "duckdb": _duckdb}[engine]
    return partial(_run, code.decode("utf-8", "replace"), opened)


def _run(code: str, open_engine: Callable[[], Engine]) -> None:
    engine = open_engine()
    line, status = 1, 0
    try:
        for line, statement in _with_lines(code, engine.split(code)):  # noqa: B007  for the error
            rows = engine.execute(statement)
            if rows is not None:
                _print_table([column[0] for column in rows.description], rows)
    except engine.errors as error:
        sys.stdout.flush()
        sys.stderr.write(f"line {line}: {type(error).__name__}: {error}\n")
        status = 1
    finally:
        engine.close()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _with_lines(code: str, statements: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Yield each statement with the line that it begins on."""
    at = 0
    for statement in statements:
        begin = max(at, code.find(statement.strip(), at))
        at = begin + len(statement.strip())
        yield code.count("\n", 0, begin) + 1, statement


def _sqlite() -> Engine:
    import sqlite3  # noqa: PLC0415  not for the programs that do without

    database = sqlite3.connect(f"{root.work()}/main.db", isolation_level=None)

    def split(code: str) -> Iterator[str]:
        begin = at = 0
        while (end := code.find(";", at)) >= 0:
            at = end + 1
            if sqlite3.complete_statement(code[begin:at]):
                yield code[begin:at]
                begin = at
        if code[begin:].strip():
            yield code[begin:]

    def execute(statement: str) -> Any:
        rows = database.execute(statement)
        return None if rows.description is None else rows

    return Engine(split, execute, database.close, (sqlite3.Error, sqlite3.Warning))


def _duckdb() -> Engine:
    duckdb = import_module("duckdb")  # one of the guest's packages, and none of ours
    settings = {"threads": 1, "autoinstall_known_extensions": False}  # there is no network
    database = duckdb.connect(f"{root.work()}/main.duckdb", config=settings)

    def split(code: str) -> Iterator[str]:
        return (statement.query for statement in database.extract_statements(code))

    def execute(statement: str) -> Any:
        (parsed,) = database.extract_statements(statement)
        rows = database.execute(parsed)
        asks = parsed.expected_result_type[0] is duckdb.ExpectedResultType.QUERY_RESULT
        names = [column[0] for column in rows.description or ()]
        return rows if asks or names not in _NOTHING_TO_SHOW else None

    return Engine(split, execute, database.close, (duckdb.Error,))


def _print_table(names: list[str], rows: Any) -> None:
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
