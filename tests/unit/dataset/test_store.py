import json
import sqlite3
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codeloop.core.errors import DataError
from codeloop.dataset.keys import chooser, digest
from codeloop.dataset.store import Entry, Store, Table

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
KILLED = """
import os, sys
from pathlib import Path
from codeloop.dataset.keys import digest
from codeloop.dataset.store import Entry, Store, Table
store = Store(Path(sys.argv[1]))
store.put(Entry(Table.RUNS, digest("kept"), "o", [1, 2])).wait()
os.kill(os.getpid(), 9)
"""
WRITER = """
import sys
from pathlib import Path
from codeloop.dataset.keys import digest
from codeloop.dataset.store import Entry, Store, Table
with Store(Path(sys.argv[1])) as store:
    for n in range(50):
        store.put(Entry(Table.CALLS, digest(n), sys.argv[2], sys.argv[2])).wait()
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.db") as opened:
        yield opened


@given(value=JSON)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_value_comes_back_as_it_was(store: Store, value: object) -> None:
    store.put(Entry(Table.ROWS, digest([value]), "o", [value])).wait()
    assert store.get(Table.ROWS, digest([value])) == [value]


@given(st.dictionaries(st.text(max_size=4), JSON))
def test_a_key_depends_on_content_and_not_on_order(value: dict[str, object]) -> None:
    turned = dict(reversed(value.items()))
    assert digest(value) == digest(turned) == digest(json.loads(json.dumps(value)))
    assert digest([value]) != digest(value)


def test_choices_follow_from_key_and_purpose() -> None:
    draws = [chooser("k", "persona").random() for _ in range(2)]
    assert draws[0] == draws[1] != chooser("k", "neighbour").random()


def test_who_comes_first_is_kept(store: Store) -> None:
    key = digest("k")
    assert store.put(Entry(Table.CALLS, key, "m", "first")).wait()
    assert not store.put(Entry(Table.CALLS, key, "m", "second")).wait()
    assert store.get(Table.CALLS, key) == "first"
    assert store.get(Table.RUNS, key) is None


def test_threads_share_a_store(store: Store) -> None:
    def work(n: int) -> bool:
        first = store.put(Entry(Table.ROWS, digest(n % 100), "s", n % 100)).wait()
        return first and store.get(Table.ROWS, digest(n % 100)) == n % 100

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(work, range(400))) == 100
    assert [each.entries for each in store.held()] == [100]


def test_what_was_waited_for_outlives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -9
    with Store(path) as store:
        assert store.get(Table.RUNS, digest("kept")) == [1, 2]


def test_processes_share_a_store(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in ("a", "b")
    ]
    assert [each.wait() for each in running] == [0, 0]
    with Store(path) as store:
        assert len(list(store.entries(Table.CALLS))) == 50


def test_what_others_wrote_is_seen_from_the_next_commit_on(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    first, others, second = (digest(each) for each in ("first", "others", "second"))
    with Store(path) as mine, Store(path) as theirs:
        mine.put(Entry(Table.CALLS, first, "m", 1)).wait()
        theirs.put(Entry(Table.CALLS, others, "m", 2)).wait()
        assert theirs.get(Table.CALLS, first) == 1
        assert not mine.put(Entry(Table.CALLS, others, "m", 3)).wait()
        assert mine.get(Table.CALLS, others) == 2
        theirs.put(Entry(Table.CALLS, second, "m", 4)).wait()
        assert mine.get(Table.CALLS, second) == 4


def test_what_is_held_is_counted_and_can_be_removed(store: Store) -> None:
    store.put(Entry(Table.CALLS, digest(1), "m", "a", 10, 5)).wait()
    store.put(Entry(Table.CALLS, digest(2), "m", "b", 1, 1)).wait()
    store.put(Entry(Table.ROWS, digest(3), "s", "c")).wait()
    counts = [(h.table, h.owner, h.entries, h.prompt_tokens) for h in store.held()]
    assert counts == [(Table.CALLS, "m", 2, 11), (Table.ROWS, "s", 1, 0)]
    assert store.remove(Table.CALLS, ["m", "none"]) == 2
    assert [each.owner for each in store.held()] == ["s"]
    assert [each.value for each in store.entries(Table.ROWS)] == ["c"]


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_text("no database at all, but long enough to look at" * 9, encoding="utf-8")
    with pytest.raises(DataError, match=r"text\.db: the store failed"):
        Store(path)


def test_a_store_of_another_format_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(DataError, match="format 99"):
        Store(path)


def test_a_closed_store_takes_nothing_and_leaves_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    with Store(tmp_path / "s.db") as store:
        pending = store.put(Entry(Table.ROWS, digest(1), "s", 1))
    assert pending.wait()
    assert threading.active_count() == before
    with pytest.raises(DataError, match="closed"):
        store.put(Entry(Table.ROWS, digest(1), "s", 1))


def test_a_store_of_the_first_format_is_read(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store(path):
        pass
    with closing(sqlite3.connect(path)) as connection, connection:
        old = zlib.compress(b'{"text":"old"}', 1)
        row = (bytes.fromhex(digest("k")), "m", old, 0, 0, 0)
        connection.execute("INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?)", row)
        connection.execute("PRAGMA user_version = 1")
    with Store(path) as store:
        assert store.get(Table.CALLS, digest("k")) == {"text": "old"}


def test_of_a_commit_only_those_are_late_that_were(store: Store) -> None:
    store.put(Entry(Table.CALLS, digest(7), "m", 7)).wait()
    pending = [store.put(Entry(Table.CALLS, digest(n), "m", -n)) for n in range(200)]
    assert [n for n, each in enumerate(pending) if not each.wait()] == [7]
    assert store.get(Table.CALLS, digest(7)) == 7
    assert store.get(Table.CALLS, digest(8)) == -8


def test_long_and_short_values_come_back(store: Store) -> None:
    for size in (1, 500, 512, 513, 10_000):
        store.put(Entry(Table.ROWS, digest(size), "s", "x" * size)).wait()
        assert store.get(Table.ROWS, digest(size)) == "x" * size
