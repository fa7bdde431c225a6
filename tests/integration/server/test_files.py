"""Files of a chat: in, out, gone; what a name may be; what a guest may plant."""

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_server import StartPage, start_page

from codeloop.sandbox import Sandbox
from codeloop.server.chats import files, service
from codeloop.server.chats.files import file_name
from codeloop.server.refusals import RefusalError

pytestmark = pytest.mark.jail


def test_an_upload_is_in_the_work_directory_and_told_to_the_model(start: StartPage) -> None:
    server = start(replies=["```python\nprint(open('a.csv').read())\n```"])
    chat = server.client.new_chat()
    answer = server.client.ask("PUT", f"/api/chats/{chat.id}/files/a.csv", b"x,y\n1,2\n")
    assert (answer.status, answer.json) == (201, {"name": "a.csv", "bytes": 8})
    chat.say("Read it.", files=["a.csv"])
    assert chat.data("cell.finished")[0]["result"]["stdout"]["text"] == "x,y\n1,2\n\n"
    assert "x,y" in chat.data("message.added")[0]["told"]
    assert chat.post("/messages", {"text": "?", "files": ["b.csv"]}).status == 400


def test_chats_may_be_kept_in_a_folder_that_is_named_from_where_one_is(
    page_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server = start_page(page_sandbox, Path("kept"), replies=["Two columns."])
    try:
        chat = server.client.new_chat()
        server.client.ask("PUT", f"/api/chats/{chat.id}/files/a.csv", b"x,y\n1,2\n")
        chat.say("Read it.", files=["a.csv"])
        assert "x,y" in chat.data("message.added")[0]["told"]
    finally:
        server.stop()


def test_what_code_writes_is_listed_and_fetched_also_after_a_restart(start: StartPage) -> None:
    server = start()
    chat = server.client.new_chat()
    chat.run("open('out.txt', 'w').write('made')")
    assert [each["name"] for each in chat.get("/files").json["files"]] == ["out.txt"]
    server.stop()
    chat.client = start().client
    answer = chat.get("/files/out.txt")
    assert answer.body == b"made"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_upload_and_a_removal_hold_across_a_restart(start: StartPage) -> None:
    server = start()
    chat = server.client.new_chat()
    for name in ("keep", "drop"):
        server.client.ask("PUT", f"/api/chats/{chat.id}/files/{name}", name.encode())
    chat.run("open('own', 'w').write('x')")
    for name in ("drop", "own"):
        assert server.client.ask("DELETE", f"/api/chats/{chat.id}/files/{name}").status == 204
    server.stop()
    chat.client = start().client
    assert chat.run("import os; print(sorted(os.listdir()))")["stdout"]["text"] == "['keep']\n"
    assert chat.client.ask("DELETE", f"/api/chats/{chat.id}/files/own").status == 404


def test_a_link_that_code_plants_leads_nowhere(start: StartPage) -> None:
    server = start()
    chat = server.client.new_chat()
    chat.run("import os\nos.symlink('/etc/passwd', 'link')\nos.symlink('/', 'root')")
    assert chat.get("/files/link").status == 404
    assert chat.get("/files/root/etc/passwd").status == 404
    put = server.client.ask("PUT", f"/api/chats/{chat.id}/files/link", b"mine")
    assert put.status == 201
    assert chat.get("/files/link").body == b"mine"


@pytest.mark.parametrize("path", ["../../x", "%2e%2e%2fx", "..", "a%00b", "%2Fetc%2Fpasswd"])
def test_no_name_leads_out(start: StartPage, path: str) -> None:
    chat = start().client.new_chat()
    assert chat.get(f"/files/{path}").status in {400, 404, 405}


def test_more_than_an_upload_may_have_is_refused(
    start: StartPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "UPLOAD_BYTES", 10)
    monkeypatch.setattr(files, "MOST_UPLOADS", 1)
    client = start().client
    chat = client.new_chat()
    assert client.ask("PUT", f"/api/chats/{chat.id}/files/big", b"x" * 11).status == 413
    assert client.ask("PUT", f"/api/chats/{chat.id}/files/one", b"x").status == 201
    assert client.ask("PUT", f"/api/chats/{chat.id}/files/two", b"x").status == 413


@given(st.text())
def test_any_name_of_an_upload_becomes_a_plain_one_or_is_refused(text: str) -> None:
    try:
        name = file_name(text)
    except RefusalError:
        return
    assert "/" not in name
    assert "\0" not in name
    assert name not in {".", ".."}
    assert len(name.encode()) <= 200
    assert name.isprintable()


def test_uploads_under_odd_names_stay_in_the_work_directory(start: StartPage) -> None:
    server = start()
    chat = server.client.new_chat()
    for name in ("../up", "é\u0301", "a b", "-rf", "~x", "x'y\"$(id)"):
        answer = server.client.ask(
            "PUT", f"/api/chats/{chat.id}/files/{quote(name, safe='')}", b"1"
        )
        assert answer.status == 201, answer.body
    listed = {each["name"] for each in chat.get("/files").json["files"]}
    chat.run("import os; print(len(os.listdir()))")
    assert chat.data("cell.finished")[-1]["result"]["stdout"]["text"] == f"{len(listed)}\n"
    odd = quote("x'y\"$(id)", safe="")
    assert server.client.ask("DELETE", f"/api/chats/{chat.id}/files/{odd}").status == 204
    assert len(chat.get("/files").json["files"]) == len(listed) - 1


def test_a_display_for_which_its_user_has_no_room_is_told_without_its_bytes(
    start: StartPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "USER_BYTES", 10)
    monkeypatch.setattr(files, "USER_BYTES", 10)
    client = start().client
    chat = client.new_chat()
    result = chat.run("class P:\n def _repr_html_(self): return '<b>' + 'x' * 40\nP()")
    part = dict(result["displays"][0]["parts"])["text/html"]
    assert part == {"blob": "", "mime": "text/html", "bytes": 43}
    put = client.ask("PUT", f"/api/chats/{chat.id}/files/a", b"x" * 11)
    assert put.json["error"]["code"] == "quota"
    assert chat.get("/export?format=ipynb").status == 200


def test_what_is_uploaded_while_a_session_is_built_is_there_when_it_is(start: StartPage) -> None:
    server = start()
    chat = server.client.new_chat()
    chat.run("import time\ntime.sleep(1.5)")
    server.stop()
    chat.client = start().client
    chat.post("/cells", {"code": "print(open('late.txt').read())"})
    chat.until(lambda _: [each["state"] for each in chat.data("sandbox.state")][-1] == "starting")
    put = chat.client.ask("PUT", f"/api/chats/{chat.id}/files/late.txt", b"here")
    assert put.status in {201, 409}  # the cell may have begun to run
    chat.until_rest()
    if put.status == 201:
        assert chat.run("print(open('late.txt').read())")["stdout"]["text"] == "here\n"
