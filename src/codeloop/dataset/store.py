"""What was bought, run and worked out, in one SQLite file: threads and processes share it.

Nothing in it is ever changed: a key stands for its content, and who comes first is kept. What is
written is there for others, and after a kill, once `Pending.wait` has returned.
"""

import json
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from codeloop.core.errors import DataError

FORMAT = 2
_READ = frozenset({0, 1, FORMAT})  # 0 is a new file; in 1 all values are compressed
GATHER_S = 0.002  # how long a commit waits for company
BUSY_S = 60.0  # how long another process may hold the file
_CACHE_KIB = 512  # of each connection: there may be one for every thread
_MOST = 512  # entries of one commit
_COLUMNS = 6
_AT_ONCE = 64  # entries of one statement: each statement is a wait for the interpreter's lock
_SHORT_BYTES = 512  # values up to this length are kept as they are
_COMPRESSED = b"\x78"  # how what zlib made begins; no JSON does
_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True)
_KNOWN = 500_000  # keys that are remembered, in about 60 MB


class Table(StrEnum):
    """What an entry is of."""

    CALLS = "calls"  # a reply of a model
    RUNS = "runs"  # the result of a piece of code in a session
    ROWS = "rows"  # what a stage made of a row


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to keep: its key, whose it is (a model, a sandbox, a stage), its JSON value.

    The tokens are those of a call.
    """

    table: Table
    key: str
    owner: str
    value: Any
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """How much a table holds of one owner."""

    table: Table
    owner: str
    entries: int
    kept_bytes: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(slots=True)
class _Batch:
    """Entries that are committed together."""

    entries: list[Entry] = field(default_factory=list)
    done: bool = False
    doing: threading.Lock = field(default_factory=threading.Lock)  # held until it is done
    late: set[tuple[str, str]] = field(default_factory=set)  # others had been first
    error: DataError | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry on its way into the file."""

    _batch: _Batch
    _entry: Entry

    def wait(self) -> bool:
        """Wait until it is committed; return whether it was the first under its key.

        Raises:
            DataError: it cannot be written.
        """
        if not self._batch.done:
            with self._batch.doing:  # who comes out lets the next one out: they wake one by one
                pass
        if self._batch.error is not None:
            raise self._batch.error
        return (self._entry.table, self._entry.key) not in self._batch.late


class Store:
    """The file, open; use it in a `with` statement."""

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        """Open the file, or make it.

        A `durable` store outlives a power cut whole; one that is not may lose its last commits
        then, but nothing when its process is killed.

        Raises:
            DataError: it is no store, or cannot be written.
        """
        self._path = path
        self._idle: list[sqlite3.Connection] = []
        self._state = threading.Condition()
        self._batch = _begun()
        self._closed = False
        self._ours: set[str] | None = None  # all keys that there are, while no other has written
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writing = self._connect()
            _set_up(self._writing, path, durable=durable)
            self._version = _version(self._writing)
            if _is_empty(self._writing):
                self._ours = set()
        except (OSError, sqlite3.Error) as error:
            raise self._failure(error) from error
        self._writer = threading.Thread(target=self._write_on, name="store", daemon=True)
        self._writer.start()

    def get(self, table: Table, key: str) -> Any:
        """Return the value under a key, or None.

        Raises:
            DataError: the file cannot be read.
        """
        ours = self._ours
        if ours is not None and key not in ours:
            return None
        query = f"SELECT value FROM {table} WHERE key = ?"  # noqa: S608  a table of ours
        with self._lent() as connection:
            row = connection.execute(query, (bytes.fromhex(key),)).fetchone()
        return None if row is None else _unpack(row[0])

    def put(self, entry: Entry) -> Pending:
        """Have an entry written; it is not yet when this returns.

        Raises:
            DataError: the store is closed.
        """
        with self._state:
            if self._closed:
                msg = f"{self._path}: the store is closed"
                raise DataError(msg)
            if self._ours is not None:
                self._ours.add(entry.key)
            self._batch.entries.append(entry)
            if len(self._batch.entries) == 1:
                self._state.notify()
            return Pending(self._batch, entry)

    def held(self) -> list[Held]:
        """Return how much there is, by table and owner."""
        query = (
            "SELECT owner, count(*), sum(length(value)), sum(prompt_tokens), "
            "sum(completion_tokens) FROM {} GROUP BY owner ORDER BY owner"
        )
        with self._lent() as connection:
            return [
                Held(table, *row)
                for table in Table
                for row in connection.execute(query.format(table))
            ]

    def entries(self, table: Table) -> Iterator[Entry]:
        """Yield all entries of a table, by key."""
        query = (
            f"SELECT key, owner, value, prompt_tokens, completion_tokens FROM {table} ORDER BY key"  # noqa: S608  a table of ours
        )
        with self._lent() as connection, closing(connection.execute(query)) as rows:
            for key, owner, value, prompt, completion in rows:
                yield Entry(table, key.hex(), owner, _unpack(value), prompt, completion)

    def remove(self, table: Table, owners: Sequence[str]) -> int:
        """Remove all entries of some owners, give their room back; return how many there were.

        Raises:
            DataError: the file cannot be written.
        """
        query = f"DELETE FROM {table} WHERE owner = ?"  # noqa: S608  a table of ours
        with self._lent() as connection:
            before = connection.total_changes
            with connection:
                connection.executemany(query, [(owner,) for owner in owners])
            gone = connection.total_changes - before
            connection.execute("VACUUM")
        return gone

    def close(self) -> None:
        """Write what is still to be written, and close the file."""
        with self._state:
            self._closed = True
            self._state.notify()
        self._writer.join()
        for connection in [*self._idle, self._writing]:
            connection.close()
        self._idle.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_S, check_same_thread=False)
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        return connection

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection to one thread; wrap what goes wrong with it."""
        try:
            connection = self._idle.pop() if self._idle else self._connect()
        except IndexError:  # another thread was quicker
            connection = self._connect()
        try:
            yield connection
        except sqlite3.Error as error:
            raise self._failure(error) from error
        finally:
            self._idle.append(connection)

    def _failure(self, error: Exception) -> DataError:
        return DataError(f"{self._path}: the store failed ({error})")

    def _write_on(self) -> None:
        while True:
            with self._state:
                self._state.wait_for(lambda: self._batch.entries or self._closed)
                if not self._batch.entries:
                    return
            time.sleep(GATHER_S)
            with self._state:
                batch, self._batch = self._batch, _begun()
            try:
                for at in range(0, len(batch.entries), _MOST):
                    self._commit(batch, batch.entries[at : at + _MOST])
            except Exception as error:  # noqa: BLE001  whoever waits raises it
                batch.error = self._failure(error)
            batch.done = True
            batch.doing.release()

    def _commit(self, batch: _Batch, entries: Sequence[Entry]) -> None:
        with self._writing as connection:
            if not _inserted(connection, entries):
                connection.rollback()
                batch.late |= {
                    (each.table, each.key) for each in entries if not _inserted(connection, [each])
                }
            others = _version(connection) != self._version
        if others or (self._ours is not None and len(self._ours) > _KNOWN):
            self._ours = None  # from here on the file itself is asked


def _begun() -> _Batch:
    batch = _Batch()
    batch.doing.acquire()
    return batch


def _inserted(connection: sqlite3.Connection, entries: Sequence[Entry]) -> bool:
    """Insert entries; return whether nobody had been first with any of them."""
    by_table: dict[Table, list[Any]] = {}
    now = int(time.time())
    for entry in entries:
        by_table.setdefault(entry.table, []).extend(
            (
                bytes.fromhex(entry.key),
                entry.owner,
                _pack(entry.value),
                entry.prompt_tokens,
                entry.completion_tokens,
                now,
            )
        )
    count = 0
    for table, values in by_table.items():
        for at in range(0, len(values), _COLUMNS * _AT_ONCE):
            some = values[at : at + _COLUMNS * _AT_ONCE]
            rows = ", ".join(["(?, ?, ?, ?, ?, ?)"] * (len(some) // _COLUMNS))
            count += connection.execute(
                f"INSERT OR IGNORE INTO {table} VALUES {rows}",  # noqa: S608  a table of ours
                some,
            ).rowcount
    return count == len(entries)


def _set_up(connection: sqlite3.Connection, path: Path, *, durable: bool) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in _READ:
        msg = f"{path}: a store of format {version}; this codeloop reads {FORMAT}"
        raise DataError(msg)
    for table in Table:
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {table} (key BLOB PRIMARY KEY, owner TEXT NOT NULL, "
            "value BLOB NOT NULL, prompt_tokens INTEGER NOT NULL, "
            "completion_tokens INTEGER NOT NULL, added INTEGER NOT NULL) WITHOUT ROWID"
        )
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    connection.commit()


def _version(connection: sqlite3.Connection) -> int:
    """Return a number that is another one once another connection has written."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def _is_empty(connection: sqlite3.Connection) -> bool:
    queries = (f"SELECT 1 FROM {table} LIMIT 1" for table in Table)  # noqa: S608  tables of ours
    return all(connection.execute(query).fetchone() is None for query in queries)


def _pack(value: Any) -> bytes:
    data = _JSON.encode(value).encode()
    return data if len(data) <= _SHORT_BYTES else zlib.compress(data, 1)


def _unpack(data: bytes) -> Any:
    return json.loads(zlib.decompress(data) if data.startswith(_COMPRESSED) else data)
