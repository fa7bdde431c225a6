"""Bytes by what they are: each content once on disk, for as long as a chat uses it."""

import hashlib
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from codeloop.core.errors import DataError
from codeloop.core.execution import MIB
from codeloop.server.store.database import Database

USER_BYTES = 2048 * MIB  # that all blobs of a user may have
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Blob:
    """A content that a chat uses, under its SHA-256."""

    hash: str
    mime: str
    bytes: int


class Blobs:
    """The blobs of a server: files in a folder, and which chat uses which in the database."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder.absolute()  # links elsewhere lead to it

    def put(self, chat: str, data: bytes, mime: str) -> Blob:
        """Keep bytes for a chat.

        Raises:
            DataError: the disk does not take them.
        """
        name = hashlib.sha256(data).hexdigest()
        path = self.path(name)
        with self._database.write() as connection:  # so that nobody drops it meanwhile
            if not path.exists():
                _write(path, data)
            connection.execute(
                "INSERT OR IGNORE INTO blobs VALUES(?, ?, ?, ?)", (chat, name, mime, len(data))
            )
        return Blob(name, mime, len(data))

    def find(self, chat: str, name: str) -> Blob | None:
        """Return a blob of a chat, if the chat uses it."""
        sql = "SELECT hash, mime, bytes FROM blobs WHERE chat = ? AND hash = ?"
        rows = self._database.read(sql, (chat, name))
        return Blob(*rows[0]) if rows else None

    def share(self, chat: str, other: str) -> None:
        """Let another chat use what a chat uses."""
        with self._database.write() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO blobs SELECT ?, hash, mime, bytes FROM blobs WHERE chat = ?",
                (other, chat),
            )

    def read(self, name: str) -> bytes:
        """Return what is in a blob.

        Raises:
            DataError: its file is gone.
        """
        try:
            return self.path(name).read_bytes()
        except OSError as error:
            msg = f"blob {name[:12]}: {error.strerror}"
            raise DataError(msg) from error

    def path(self, name: str) -> Path:
        """Return where a blob lies."""
        if not _HASH.fullmatch(name):
            msg = f"{name!r}: no blob has such a name"
            raise DataError(msg)
        return self._folder / name[:2] / name

    def used_bytes(self, user: int) -> int:
        """Return how many bytes the blobs of a user's chats have."""
        sql = "SELECT sum(bytes) FROM blobs JOIN chats ON chats.id = chat WHERE user = ?"
        return int(self._database.read(sql, (user,))[0][0] or 0)

    def of_chat(self, chat: str) -> list[str]:
        """Return the names of the blobs that a chat uses."""
        return [
            row[0] for row in self._database.read("SELECT hash FROM blobs WHERE chat=?", (chat,))
        ]

    def drop_unused(self, names: list[str]) -> None:
        """Remove those blobs that no chat uses any more."""
        with self._database.write() as connection:
            for name in names:
                sql = "SELECT 1 FROM blobs WHERE hash = ? LIMIT 1"
                if connection.execute(sql, (name,)).fetchone() is None:
                    self.path(name).unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(unfinished, "xb", opener=_private) as file:
            file.write(data)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        msg = f"a blob of {len(data)} bytes cannot be kept: {error.strerror}"
        raise DataError(msg) from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
