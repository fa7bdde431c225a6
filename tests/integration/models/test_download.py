"""Downloads over real HTTP: broken, resumed, lied to, interrupted, out of space."""

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from integration.models.hostile import Answer, Request, Server, status

from codeloop.core.errors import ModelError
from codeloop.models import download as download_module
from codeloop.models.catalogue import Entry, HubFile, models_dir
from codeloop.models.pull import Watch, World, pull
from codeloop.models.wheels import Wheel

DATA = os.urandom(400_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
MODEL = Entry("m", "about", "m.gguf", "MIT", len(DATA), SHA256, (HubFile("a/b", "m.gguf"),))


def no_wheel(requirement: str) -> Wheel:
    raise ModelError(requirement)


@dataclass
class Files:
    """A place to pull to, and what was waited for."""

    folder: Path
    waits: list[float] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def pull(self, server: Server, model: Entry = MODEL, *, allow_unverified: bool = False) -> Path:
        env = {"CODELOOP_HOME": str(self.folder), "HF_ENDPOINT": f"http://127.0.0.1:{server.port}"}
        world = World(env, no_wheel, self.waits.append)
        watch = Watch(say=self.said.append)
        return pull(model, allow_unverified=allow_unverified, watch=watch, world=world)

    def left(self) -> dict[str, int]:
        return {path.name: path.stat().st_size for path in (self.folder / "models").iterdir()}

    def put(self, data: bytes) -> None:
        (self.folder / "models").mkdir()
        (self.folder / "models" / "m.gguf.part").write_bytes(data)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def whole(request: Request) -> None:
    status(200, DATA)(request)


def ranges(request: Request, data: bytes = DATA) -> None:
    """Answer as a server that knows ranges does."""
    asked = request.headers.get("range")
    if asked is None:
        status(200, data)(request)
        return
    start = int(asked.removeprefix("bytes=").removesuffix("-"))
    if start >= len(data):
        status(416)(request)
        return
    to = f"bytes {start}-{len(data) - 1}/{len(data)}"
    status(206, data[start:], Content_Range=to)(request)


def cut(size: int) -> Answer:
    """Answer with ranges, but hang up after so many bytes of the body."""

    def answer(request: Request) -> None:
        start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        head = f"HTTP/1.1 206 X\r\nContent-Length: {len(DATA) - start}\r\n"
        head += f"Content-Range: bytes {start}-{len(DATA) - 1}/{len(DATA)}\r\n\r\n"
        request.send(head.encode() + DATA[start : start + size])

    return answer


def test_a_file_comes_whole(files: Files) -> None:
    with Server(whole) as server:
        assert files.pull(server).read_bytes() == DATA
        assert server.requests[0].path == "/a/b/resolve/main/m.gguf"
        assert server.requests[0].headers["accept-encoding"] == "identity"
    assert files.left() == {"m.gguf": len(DATA)}


def test_a_transfer_that_breaks_goes_on_from_where_it_was(files: Files) -> None:
    with Server(cut(100_000), cut(100_000), ranges) as server:
        assert files.pull(server).read_bytes() == DATA
        asked = [request.headers.get("range") for request in server.requests]
        assert asked == [None, "bytes=100000-", "bytes=200000-"]


def test_a_pull_goes_on_where_an_earlier_one_ended(files: Files) -> None:
    files.put(DATA[:250_000])
    with Server(ranges) as server:
        assert files.pull(server).read_bytes() == DATA
        assert server.requests[0].headers["range"] == "bytes=250000-"


def test_a_server_without_ranges_sends_it_all_again(files: Files) -> None:
    files.put(DATA[:250_000])
    with Server(whole) as server:
        assert files.pull(server).read_bytes() == DATA
        assert len(server.requests) == 1


def test_a_part_that_is_whole_already_only_has_to_be_right(files: Files) -> None:
    files.put(DATA)
    with Server(ranges) as server:
        assert files.pull(server).read_bytes() == DATA


def test_a_wrong_part_is_thrown_away_and_the_same_mirror_asked_again(files: Files) -> None:
    files.put(bytes(250_000))
    with Server(ranges) as server:
        assert files.pull(server).read_bytes() == DATA


def test_a_wrong_file_is_removed_and_the_next_mirror_tried(files: Files) -> None:
    model = replace(MODEL, mirrors=(HubFile("bad/one", "m.gguf"), HubFile("good/one", "m.gguf")))

    def answer(request: Request) -> None:
        status(200, bytes(len(DATA)) if "bad" in request.path else DATA)(request)

    with Server(answer) as server:
        assert files.pull(server, model).read_bytes() == DATA
    assert any("its SHA-256 is" in text for text in files.said)


def test_a_server_that_breaks_off_for_ever_is_given_up_and_the_part_kept(files: Files) -> None:
    def stuck(request: Request) -> None:
        cut(100_000 if "range" not in request.headers else 0)(request)

    with Server(stuck) as server, pytest.raises(ModelError, match="hub a/b: the conn"):
        files.pull(server)
    assert files.left() == {"m.gguf.part": 100_000}
    assert files.waits == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (status(404, "no"), "it answers 404"),
        (status(401), "it answers 401"),
        (status(200, "<html>log in</html>"), "it has 19 bytes, not 400000"),
        (status(302, Location="/again"), "too many redirects"),
        (status(206, DATA, Content_Range="bytes oops"), "Content-Range makes no sense"),
        (status(206, DATA, Content_Range="bytes 9-400000/400000"), "another range"),
        (status(503), "it answers 503"),
    ],
)
def test_what_a_mirror_answers_is_its_reason(files: Files, answer: Answer, words: str) -> None:
    with Server(answer) as server, pytest.raises(ModelError, match=words):
        files.pull(server)
    assert files.left() == {}


def test_more_than_was_announced_is_refused(files: Files) -> None:
    def endless(request: Request) -> None:
        request.send("HTTP/1.1 200 OK\r\n\r\n")
        request.send_endlessly(bytes(65536))

    with Server(endless) as server, pytest.raises(ModelError, match="sends more than 400000 bytes"):
        files.pull(server)


def test_redirects_lead_to_the_file_and_the_hub_tells_its_hash(files: Files) -> None:
    model = replace(MODEL, size_bytes=None, sha256=None)
    hop = status(302, Location="/cdn/x?sig=1", X_Linked_Etag=f'"{SHA256}"')
    with Server(hop, whole) as server:
        assert files.pull(server, model, allow_unverified=True).read_bytes() == DATA
        assert server.requests[1].path == "/cdn/x?sig=1"
    assert not any("on trust" in text for text in files.said)


def test_a_file_that_is_not_what_the_hub_says_is_refused(files: Files) -> None:
    model = replace(MODEL, size_bytes=None, sha256=None)
    hop = status(302, Location="/cdn/x", X_Linked_Etag=f'"{"0" * 64}"')
    with Server(hop, whole) as server, pytest.raises(ModelError, match="its SHA-256 is"):
        files.pull(server, model, allow_unverified=True)
    assert files.left() == {}


def test_nobody_listening_is_said_at_once(files: Files) -> None:
    with Server(whole) as server:
        pass
    with pytest.raises(ModelError, match=r"no connection to 127\.0\.0\.1"):
        files.pull(server)
    assert files.waits == []


def test_https_does_not_lead_to_an_open_connection() -> None:
    with pytest.raises(ModelError, match="open connection"):
        download_module._follow("https://a/b", "http://a/b")


PROGRAM = """
    import sys, resource
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from codeloop.core.errors import ModelError
    from codeloop.models.catalogue import Entry, HubFile
    from codeloop.models.pull import Watch, World, pull
    model = Entry("m", "", "m.gguf", "MIT", {size}, {sha256!r}, (HubFile("a/b", "m.gguf"),))
    env = {{"CODELOOP_HOME": {home!r}, "HF_ENDPOINT": {url!r}}}
    first = []
    def progress(done, total):
        if not first:
            first.append(done)
            print("begun", flush=True)
    {before}
    try:
        pull(model, world=World(env), watch=Watch(progress))
    except ModelError as error:
        print(error, flush=True)
"""


def program(server: Server, folder: Path, before: str = "") -> list[str]:
    text = textwrap.dedent(PROGRAM).format(
        tests=str(Path(__file__).parents[2]),
        size=len(DATA),
        sha256=SHA256,
        home=str(folder),
        url=f"http://127.0.0.1:{server.port}",
        before=before,
    )
    return [sys.executable, "-c", text]


def test_an_interrupt_leaves_only_what_the_next_pull_goes_on_from(files: Files) -> None:
    def begin(request: Request) -> None:
        request.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(DATA)}\r\n\r\n")
        request.send(DATA[:100_000])
        request.wait_gone()

    with Server(begin, ranges) as server:
        with subprocess.Popen(
            program(server, files.folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            process.send_signal(signal.SIGINT)
            assert process.wait(20) != 0
        (name, size), *more = files.left().items()
        assert (name, more) == ("m.gguf.part", [])
        assert 0 < size <= 100_000
        assert files.pull(server).read_bytes() == DATA
        assert server.requests[1].headers["range"] == f"bytes={size}-"


def test_a_disk_that_fills_up_keeps_what_has_come(files: Files) -> None:
    before = "resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))"
    with Server(ranges) as server:
        done = subprocess.run(
            program(server, files.folder, before), capture_output=True, text=True, check=False
        )
        assert "disk full; what has come is kept" in done.stdout
        assert done.stderr == ""
        assert files.left() == {"m.gguf.part": 150_000}
        assert files.pull(server).read_bytes() == DATA
        assert server.requests[1].headers["range"] == "bytes=150000-"


def can_unshare() -> bool:
    argv = ["unshare", "-Urm", "mount", "-t", "tmpfs", "-o", "size=20m", "none", "/mnt"]
    try:
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.jail
@pytest.mark.skipif(not can_unshare(), reason="no user namespaces here")
def test_a_small_disk_is_full_before_it_begins_or_on_the_way(files: Files) -> None:
    for size, before, words in (
        ("16m", "", "needs 0 MB, but"),
        ("160k", "import codeloop.models.download as d; d.MARGIN_BYTES = -10**9", "disk full"),
    ):
        with Server(ranges) as server:
            mount = f'mount -t tmpfs -o size={size} none {files.folder} && exec "$@"'
            argv = [
                "unshare",
                "-Urm",
                "sh",
                "-c",
                mount,
                "sh",
                *program(server, files.folder, before),
            ]
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert words in done.stdout
        assert done.stderr == ""


def test_a_file_that_was_pulled_is_not_asked_for_again(files: Files) -> None:
    with Server(whole) as server:
        first = files.pull(server)
        assert files.pull(server) == first
        assert len(server.requests) == 1
    assert models_dir({"CODELOOP_HOME": str(files.folder)}) == first.parent
