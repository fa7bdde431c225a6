"""Parts of the page's server by themselves: its file, its line, its texts put together."""

import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.errors import DataError
from codeloop.core.execution import Display, ExecutionResult, Output, Status
from codeloop.server.chats.journal import Flusher, Journal, Pace
from codeloop.server.chats.results import result_from_json, result_to_json
from codeloop.server.store.blobs import Blob
from codeloop.server.store.schema import MIGRATIONS
from codeloop.server.store.store import Store


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    opened = Store(tmp_path)
    yield opened
    opened.close()


def test_events_are_numbered_without_gaps_whoever_writes_them(store: Store) -> None:
    user = store.users.add("ada")
    chat = store.create_chat(user.id, model="m")

    def write() -> None:
        for _ in range(50):
            store.append(chat.id, "text.delta", {"turn": "t1", "text": "x"})

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.seq for each in store.events(chat.id)] == list(range(1, 201))


@pytest.mark.parametrize("text", ["a\ud800b", "nul\0", "\u2028", "😀" * 9])
def test_any_text_of_a_model_is_kept_and_found(store: Store, text: str) -> None:
    chat = store.create_chat(store.users.add("ada").id, model="m")
    cell = {"cell": "c1", "turn": None, "index": 0, "code": f"whale {text}"}
    store.append(chat.id, "cell.added", cell)
    assert store.events(chat.id)[0].data == cell
    assert [each.id for each in store.chats(chat.user, query="whale")] == [chat.id]
    store.append(chat.id, "message.added", {"text": f"whale {text}"})
    titled = store.chat(chat.user, chat.id)
    assert titled is not None
    assert titled.title.startswith("whale")


def test_a_file_of_a_newer_codeloop_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / "codeloop.db") as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(DataError, match="newer"):
        Store(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "codeloop.db").write_bytes(b"no database at all, but long enough to be read" * 40)
    with pytest.raises(DataError, match="cannot be used"):
        Store(tmp_path)


def test_a_blob_lives_as_long_as_any_chat_uses_it(store: Store) -> None:
    user = store.users.add("ada")
    one, two = (store.create_chat(user.id, model="m") for _ in range(2))
    blob = store.blobs.put(one.id, b"shared", "text/plain")
    store.blobs.share(one.id, two.id)
    store.delete_chat(one)
    assert store.blobs.read(blob.hash) == b"shared"
    assert store.blobs.find(one.id, blob.hash) is None
    store.delete_chat(two)
    with pytest.raises(DataError):
        store.blobs.read(blob.hash)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=30))
def test_texts_that_are_put_together_lose_nothing(texts: list[str]) -> None:
    written: list[tuple[str, dict[str, str]]] = []

    class Kept(Journal):
        def __init__(self) -> None: ...

        def write(self, chat, kind, data):  # type: ignore[no-untyped-def]
            written.append((kind, data))

    flusher = Flusher()
    pace = Pace(Kept(), flusher, "c")
    for text in texts:
        pace.add_text("text.delta", {"turn": "t1"}, text)
    pace.write("turn.ended", {})
    flusher.close()
    assert written[-1][0] == "turn.ended"
    assert "".join(data["text"] for kind, data in written if kind == "text.delta") == "".join(texts)


_parts = st.one_of(
    st.tuples(st.just("text/plain"), st.text(max_size=50)),
    st.tuples(st.just("text/html"), st.text(st.characters(exclude_categories=["Cs"]), max_size=50)),
    st.tuples(st.just("image/png"), st.binary(max_size=50).map(lambda data: data.hex())),
)


@given(st.lists(st.lists(_parts, max_size=3).map(tuple), max_size=3))
def test_a_result_comes_back_from_its_event(displays: list[tuple[tuple[str, str], ...]]) -> None:
    kept: dict[str, bytes] = {}

    def keep(data: bytes, mime: str) -> Blob:
        name = f"{len(kept):064x}"
        kept[name] = data
        return Blob(name, mime, len(data))

    result = ExecutionResult(
        Status.OK, Output("x", 1), displays=tuple(Display(parts) for parts in displays)
    )
    assert result_from_json(result_to_json(result, keep), kept.__getitem__) == result
