"""Users by the command line: added, let in, removed with all that is theirs."""

import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from page_server import Client, StartPage

from codeloop.cli import main

pytestmark = pytest.mark.jail


def told(*words: str) -> tuple[int, str]:
    said = io.StringIO()
    with redirect_stdout(said):
        status = main(["serve", "user", *words])
    return status, said.getvalue().strip()


def test_a_user_is_added_let_in_and_removed_with_their_chats(
    start: StartPage, tmp_path: Path
) -> None:
    kept = str(tmp_path / "kept")
    server = start()
    assert told("add", "ada", "--data", kept)[0] == 0
    assert told("add", "ada", "--data", kept)[0] == 2
    token = told("token", "ada", "--data", kept)[1]
    ada = Client(server.port, token)
    assert ada.get("/api/state").json["user"] == "ada"
    chat = ada.new_chat()
    ada.ask("PUT", f"/api/chats/{chat.id}/files/a.txt", b"hers")
    assert list((tmp_path / "kept" / "blobs").rglob("*/*"))
    assert told("list", "--data", kept)[1].split() == ["owner", "ada"]
    assert told("remove", "ada", "--data", kept)[0] == 0
    assert ada.get("/api/state").status == 401
    assert not list((tmp_path / "kept" / "blobs").rglob("*/*"))
    assert told("token", "ada", "--data", kept)[0] == 2


def test_the_token_of_the_last_start_ends_with_it_and_a_cookie_does_not(start: StartPage) -> None:
    server = start()
    answer = Client(server.port).get(f"/?token={server.token}")
    cookie = answer.headers["set-cookie"].partition(";")[0]
    server.stop()
    again = start()
    assert Client(again.port, server.token).get("/api/state").status == 401
    assert Client(again.port, headers={"Cookie": cookie}).get("/api/state").status == 200
