"""Chats out as files, and files in as chats."""

import io
import json
import zipfile

import pytest
from page_server import ChatClient, StartPage

pytestmark = pytest.mark.jail
REPLY = "So:\n```python\nx = 20\nprint(x + 22)\n```\n"


def test_a_notebook_comes_back_as_a_chat_whose_variables_are_there(start: StartPage) -> None:
    server = start(replies=[REPLY])
    chat = server.client.new_chat()
    chat.say("Add.")
    chat.run("y = x * 2\ny")
    answer = chat.get("/export?format=ipynb")
    assert answer.headers["content-disposition"].startswith("attachment")
    code = ["".join(each["source"]) for each in answer.json["cells"] if each["cell_type"] == "code"]
    assert any("y = x * 2" in each for each in code)
    made = server.client.ask("POST", "/api/import?name=a.ipynb", answer.body)
    assert made.status == 201, made.body
    other = ChatClient(server.client, made.json["chats"][0]["id"])
    result = other.run("print(x, y)")
    assert result["stdout"]["text"] == "20 40\n"


@pytest.mark.parametrize("form", ["py", "md", "html", "zip", "code-feedback"])
def test_each_form_can_be_had(start: StartPage, form: str) -> None:
    chat = start(replies=[REPLY]).client.new_chat()
    assert chat.get(f"/export?format={form}").status == 409
    chat.say("Add.")
    answer = chat.get(f"/export?format={form}")
    assert answer.status == 200, answer.body
    assert answer.body


def test_code_feedback_comes_in_line_by_line_and_what_is_none_is_refused(start: StartPage) -> None:
    client = start().client
    row = {
        "id": 1,
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}],
    }
    made = client.ask("POST", "/api/import", json.dumps(row).encode() + b"\n")
    assert [each["title"] for each in made.json["chats"]] == ["Hi"]
    assert client.ask("POST", "/api/import", b"\x00nothing").status == 400
    assert client.get("/api/chats").json["chats"] == made.json["chats"]


KEY = "sk-" + "a1" * 12
SECRET = f"""So, for ada@example.org:
```python
key = "{KEY}"
open("kept.txt", "w").write(key)
open("kept.bin", "wb").write(bytes([255]) + key.encode())
print(key)
```
"""


@pytest.mark.parametrize("form", ["ipynb", "py", "md", "html", "jsonl", "code-feedback", "zip"])
def test_what_looks_like_a_secret_is_left_out_if_one_says_so(start: StartPage, form: str) -> None:
    chat = start(replies=[SECRET]).client.new_chat()
    chat.say(f"Use {KEY}")
    assert KEY.encode() in opened(chat.get(f"/export?format={form}").body)
    answer = chat.get(f"/export?format={form}&redact=1")
    assert answer.status == 200, answer.body
    assert KEY.encode() not in opened(answer.body)
    assert KEY not in answer.headers["content-disposition"]
    assert b"ada@example" not in opened(answer.body)
    assert b"[key removed]" in opened(answer.body)


def opened(data: bytes) -> bytes:
    """Return what a file holds, all files of an archive one after the other."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return b"".join(archive.read(name) for name in archive.namelist())
