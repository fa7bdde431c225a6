"""The server's SQLite file: opened, brought to the newest schema, used from many threads."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from codeloop.core.errors import DataError
from codeloop.server.store.schema import MIGRATIONS

_BUSY_S = 10.0


class Database:
    """One connection that writes and one that reads, each used by one thread at a time.

    The log before the file (WAL) lets them work at once. What is committed outlives the death of
    the process; of the machine's, all but the last moments.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            DataError: it cannot be opened, is no such file, or is of a newer codeloop.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(0o600)
            self._writer = _connect(path)
            _migrate(self._writer, path)
            self._reader = _connect(path)
        except (OSError, sqlite3.Error) as error:
            msg = f"{path}: cannot be used: {error}"
            raise DataError(msg) from error
        self._write_lock = threading.RLock()
        self._read_lock = threading.Lock()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection that writes, in a transaction: all of the block or nothing.

        A block within another of the same thread joins its transaction.
        """
        with self._write_lock:
            if self._writer.in_transaction:
                yield self._writer
                return
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    def read(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return the rows of a query, as of the last commit."""
        with self._read_lock:
            return self._reader.execute(sql, values).fetchall()

    def close(self) -> None:
        with self._write_lock, self._read_lock:
            self._reader.close()
            self._writer.close()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        msg = f"{path}: written by a newer codeloop (schema {version}, known: {len(MIGRATIONS)})"
        raise DataError(msg)
    for number in range(version, len(MIGRATIONS)):
        script = f"BEGIN;{MIGRATIONS[number]};PRAGMA user_version={number + 1};COMMIT;"
        connection.executescript(script)
