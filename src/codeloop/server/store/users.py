"""Users and what lets them in: tokens, of which only a hash is kept."""

import secrets
import sqlite3
import time
from dataclasses import dataclass

from codeloop.core.errors import ConfigError
from codeloop.server.checks import digest
from codeloop.server.store.database import Database

LOGIN_S = 30 * 24 * 3600.0  # how long a browser stays logged in
OWNER = "owner"  # who starts the server


@dataclass(frozen=True, slots=True)
class User:
    """Who asks. Everything that is looked up is looked up for a user."""

    id: int
    name: str


class Users:
    """The users of a server, their tokens, and the logins of their browsers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str) -> User:
        """Make a user.

        Raises:
            ConfigError: there is one of that name, or it is no name.
        """
        if not name.isprintable() or not 0 < len(name) <= 64:  # noqa: PLR2004  a name for people
            msg = f"{name!r}: a user's name has 1 to 64 characters"
            raise ConfigError(msg)
        try:
            with self._database.write() as connection:
                sql = "INSERT INTO users(name, created_at) VALUES(?, ?)"
                number = connection.execute(sql, (name, time.time())).lastrowid
        except sqlite3.IntegrityError as error:
            msg = f"there is a user {name!r} already"
            raise ConfigError(msg) from error
        return User(int(number or 0), name)

    def find(self, name: str) -> User | None:
        """Return the user of that name, if there is one."""
        rows = self._database.read("SELECT id, name FROM users WHERE name = ?", (name,))
        return User(*rows[0]) if rows else None

    def all(self) -> list[User]:
        return [User(*row) for row in self._database.read("SELECT id, name FROM users ORDER BY id")]

    def remove(self, user: User) -> None:
        """Remove a user with all that is theirs in the file."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM users WHERE id = ?", (user.id,))

    def new_token(self, user: User, *, kind: str = "token", lasts_s: float | None = None) -> str:
        """Return a new token for a user: it is shown once, and kept as a hash."""
        token = secrets.token_urlsafe(32)
        self.keep_token(user, token, kind=kind, lasts_s=lasts_s)
        return token

    def keep_token(
        self, user: User, token: str, *, kind: str, lasts_s: float | None = None
    ) -> None:
        """Let a token that somebody chose stand for a user."""
        now = time.time()
        expires = None if lasts_s is None else now + lasts_s
        with self._database.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO tokens VALUES(?, ?, ?, ?, ?)",
                (digest(token), user.id, kind, now, expires),
            )

    def drop_tokens(self, user: User, kind: str) -> None:
        """End what tokens of that kind let in."""
        with self._database.write() as connection:
            sql = "DELETE FROM tokens WHERE user = ? AND kind = ?"
            connection.execute(sql, (user.id, kind))

    def of_token(self, token: str) -> User | None:
        """Return whose token it is. It is found by its hash, so that time tells nothing of it."""
        rows = self._database.read(
            "SELECT users.id, users.name FROM tokens JOIN users ON users.id = tokens.user"
            " WHERE tokens.hash = ? AND (expires_at IS NULL OR expires_at > ?)",
            (digest(token), time.time()),
        )
        return User(*rows[0]) if rows else None
