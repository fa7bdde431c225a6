"""A server that is killed, and started again: nothing that was told is lost."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from page_server import ChatClient, Client

pytestmark = [pytest.mark.jail, pytest.mark.slow]
TOKEN = "a-token-of-the-test"
Begin = Callable[[], tuple[subprocess.Popen[str], Client]]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    (tmp_path / "token").write_text(TOKEN, encoding="utf-8")
    (tmp_path / "model.json").write_text(
        '["```python\\nx = 41\\nprint(x)\\n```", "```python\\nprint(x + 1)\\n```"]',
        encoding="utf-8",
    )
    started: list[subprocess.Popen[str]] = []

    def start() -> tuple[subprocess.Popen[str], Client]:
        command = [sys.executable, "-m", "codeloop", "serve", "--port", "0"]
        command += ["--token-file", str(tmp_path / "token"), "--data", str(tmp_path / "kept")]
        command += ["--model", f"scripted:{tmp_path / 'model.json'}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        port = int(line.split(":")[2].partition("/")[0])
        return process, Client(port, TOKEN)

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_a_killed_server_resumes_its_chats_with_their_variables(begin: Begin) -> None:
    process, client = begin()
    chat = client.new_chat()
    chat.say("Go.")
    client.ask("PUT", f"/api/chats/{chat.id}/files/a.txt", b"kept")
    chat.post("/cells", {"code": "import time\nprint('on', flush=True)\ntime.sleep(60)"})
    chat.until(lambda _: len(chat.data("cell.output")) > 1)
    before = chat.events()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    _, client = begin()
    chat = ChatClient(client, chat.id)
    after = chat.events()
    assert after[: len(before)] == before
    assert not chat.get("").json["busy"]
    assert chat.data("cell.finished")[-1]["result"]["status"] == "interrupted"
    assert chat.run("print(x, open('a.txt').read())")["stdout"]["text"] == "41 kept\n"


def test_a_loop_that_was_cut_by_the_end_of_its_server_is_told_to_have_failed(begin: Begin) -> None:
    process, client = begin()
    chat = client.new_chat(settings={"mode": "confirm"})
    chat.post("/messages", {"text": "Go."})
    chat.until_event("cell.waiting")
    process.kill()
    process.wait()

    _, client = begin()
    chat = ChatClient(client, chat.id)
    assert chat.data("loop.ended")[-1]["reason"] == "failed"
    assert chat.post("/continue", {"turns": 1}).status == 202
    chat.until_event("cell.waiting")
    chat.post("/stop")
    chat.until_rest()


def test_a_server_that_is_told_to_end_lets_its_listeners_go(begin: Begin) -> None:
    process, client = begin()
    chat = client.new_chat()
    chat.run("print(1)")
    stream = chat.stream()
    next(stream)
    process.terminate()
    assert [each["type"] for each in stream][-1] == "work.ended"
    process.wait(timeout=20)
