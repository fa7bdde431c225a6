"""The tables of the server's file, and how an older file becomes a newer one."""

# Each script takes a file from its place in this list to the next; none is ever changed.
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE users(
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_at REAL NOT NULL);
    CREATE TABLE tokens(
        hash BLOB PRIMARY KEY, user INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
        kind TEXT NOT NULL, created_at REAL NOT NULL, expires_at REAL);
    CREATE TABLE chats(
        id TEXT PRIMARY KEY, user INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
        kind TEXT NOT NULL, title TEXT NOT NULL, model TEXT NOT NULL, settings TEXT NOT NULL,
        created_at REAL NOT NULL, changed_at REAL NOT NULL,
        last_seq INTEGER NOT NULL DEFAULT 0, busy INTEGER NOT NULL DEFAULT 0);
    CREATE INDEX chats_of_user ON chats(user, changed_at);
    CREATE TABLE events(
        chat TEXT NOT NULL REFERENCES chats ON DELETE CASCADE, seq INTEGER NOT NULL,
        at REAL NOT NULL, type TEXT NOT NULL, json TEXT NOT NULL,
        PRIMARY KEY(chat, seq)) WITHOUT ROWID;
    CREATE TABLE blobs(
        chat TEXT NOT NULL REFERENCES chats ON DELETE CASCADE, hash TEXT NOT NULL,
        mime TEXT NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY(chat, hash)) WITHOUT ROWID;
    CREATE INDEX blobs_by_hash ON blobs(hash);
    CREATE VIRTUAL TABLE search USING fts5(chat UNINDEXED, text);
    CREATE TABLE ratings(
        chat TEXT NOT NULL REFERENCES chats ON DELETE CASCADE, target TEXT NOT NULL,
        at REAL NOT NULL, json TEXT NOT NULL, PRIMARY KEY(chat, target)) WITHOUT ROWID;
    CREATE TABLE usage(
        chat TEXT NOT NULL, turn TEXT NOT NULL, user INTEGER NOT NULL, at REAL NOT NULL,
        model TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
        seconds REAL NOT NULL, PRIMARY KEY(chat, turn)) WITHOUT ROWID;
    CREATE TABLE audit(
        at REAL NOT NULL, user INTEGER, action TEXT NOT NULL, target TEXT NOT NULL,
        detail TEXT NOT NULL);
    CREATE TABLE compares(
        id TEXT PRIMARY KEY, user INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
        at REAL NOT NULL, text TEXT NOT NULL, blind INTEGER NOT NULL, chats TEXT NOT NULL,
        models TEXT NOT NULL, winner TEXT);
    """,
    """
    ALTER TABLE compares ADD COLUMN tests TEXT NOT NULL DEFAULT '';
    ALTER TABLE compares ADD COLUMN test_cells TEXT NOT NULL DEFAULT '[]';
    """,
)
