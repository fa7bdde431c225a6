"""A hub on loopback gives the files of rows of a data set, page by page; a bad one is told."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from codeloop.core.errors import ConfigError, DataError
from codeloop.dataset.sources.hub import HubName, fetch

FILES = {
    "data/train.jsonl": b'{"query": "Q"}\n',
    "more.json": b"[]",
    "README.md": b"no rows",
    "dataset_infos.json": b"{}",
}


class Hub(ThreadingHTTPServer):
    """Serves FILES as owner/name@main; remembers what was asked for."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[str] = []
        self.tokens: list[str | None] = []
        self.short_by = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Hub

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.tokens.append(self.headers.get("Authorization"))
        tree = "/api/datasets/owner/name/tree/main?recursive=true"
        names = list(FILES)
        if self.path == tree:
            listed = [{"type": "directory", "path": "data"}, *map(self._entry, names[:2])]
            self._send(200, json.dumps(listed).encode(), Link=f'<{tree}&cursor=2>; rel="next"')
        elif self.path == f"{tree}&cursor=2":
            self._send(200, json.dumps([self._entry(name) for name in names[2:]]).encode())
        elif self.path.startswith("/datasets/owner/name/resolve/main/"):
            self._send(302, b"", Location=f"/blob/{self.path.split('/main/')[1]}")
        elif self.path.startswith("/blob/"):
            data = FILES[self.path.removeprefix("/blob/")]
            self._send(200, data[: len(data) - self.server.short_by])
        elif self.path.startswith("/api/datasets/odd/name"):
            self._send(200, b"{}")
        else:
            self._send(404, b"")

    def _entry(self, name: str) -> dict[str, object]:
        return {"type": "file", "path": name, "size": len(FILES[name])}

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_files_of_rows_land_and_are_fetched_once(hub: Hub, tmp_path: Path) -> None:
    name = HubName.parse("hf://owner/name")
    place = fetch(name, tmp_path, endpoint=hub.url, token="secret")
    found = {str(each.relative_to(place)) for each in place.rglob("*") if each.is_file()}
    assert found == {"data/train.jsonl", "more.json"}
    assert (place / "data" / "train.jsonl").read_bytes() == FILES["data/train.jsonl"]
    assert set(hub.tokens) == {"Bearer secret"}
    before = len(hub.asked)
    assert fetch(name, tmp_path, endpoint=hub.url) == place
    assert len(hub.asked) == before + 2  # the two pages of names alone


def test_a_file_may_be_named(hub: Hub, tmp_path: Path) -> None:
    place = fetch(HubName.parse("hf://owner/name/data"), tmp_path, endpoint=hub.url)
    assert place.name == "data"
    assert [each.name for each in place.iterdir()] == ["train.jsonl"]
    with pytest.raises(ConfigError, match="no file of rows"):
        fetch(HubName.parse("hf://owner/name/README.md"), tmp_path, endpoint=hub.url)


def test_a_file_that_comes_short_is_not_kept(hub: Hub, tmp_path: Path) -> None:
    hub.short_by = 1
    with pytest.raises(DataError, match="bytes came"):
        fetch(HubName.parse("hf://owner/name"), tmp_path, endpoint=hub.url)
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


def test_what_the_hub_does_not_know_or_gives_wrong_is_told(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="404"):
        fetch(HubName.parse("hf://no/such"), tmp_path, endpoint=hub.url)
    with pytest.raises(DataError, match="not a list of files"):
        fetch(HubName.parse("hf://odd/name"), tmp_path, endpoint=hub.url)


@pytest.mark.parametrize("text", ["hf://name", "hf://a/b/../c", "hf:///b", "hf://a/ b"])
def test_a_name_that_is_none_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match="is not hf://"):
        HubName.parse(text)


def test_a_name_may_have_a_revision_and_a_path() -> None:
    assert HubName.parse("hf://a/b@v1/c/d.json") == HubName("a/b", "v1", "c/d.json")
