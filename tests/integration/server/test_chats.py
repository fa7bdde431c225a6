"""Chats over HTTP: a scripted model writes, a real jail runs, events tell of it."""

from typing import Any

import pytest
from page_server import StartPage

from codeloop.models.scripted import ScriptedModel

pytestmark = pytest.mark.jail

WRONG = "Here:\n```python\nprint(1 / 0)\n```\n"
RIGHT = "Mended:\n```python\nprint(6 * 7)\n```\n"


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [each["type"] for each in events]


def test_a_failing_run_is_told_with_its_repair(start: StartPage) -> None:
    chat = start(replies=[WRONG, RIGHT]).client.new_chat()
    events = chat.say("What is 6 times 7?")
    cells = [each["data"] for each in events if each["type"] == "cell.added"]
    assert [cell["attempt_of"] for cell in cells] == [None, "c1"]
    results = [each["result"] for each in chat.data("cell.finished")]
    assert [result["status"] for result in results] == ["error", "ok"]
    assert results[1]["stdout"]["text"] == "42\n"
    assert chat.data("loop.ended") == [{"reason": "answered", "well": True, "detail": ""}]
    turns = chat.data("turn.started")
    assert [(turn["number"], turn["because"]) for turn in turns] == [
        (1, "request"),
        (2, "execution"),
    ]
    told = "".join(each["text"] for each in chat.data("text.delta") if each["turn"] == "t1")
    assert told == WRONG == chat.data("turn.ended")[0]["reply"]
    assert [each["seq"] for each in events] == list(range(1, len(events) + 1))


def test_the_next_message_goes_on_with_the_dialogue_and_the_variables(start: StartPage) -> None:
    model = ScriptedModel(["```python\nx = 41\n```", "```python\nprint(x + 1)\n```"])
    chat = start(models={"scripted": model}).client.new_chat()
    chat.say("Set x.")
    chat.say("Add one.")
    assert chat.data("cell.finished")[-1]["result"]["stdout"]["text"] == "42\n"
    assert [each.role.value for each in model.calls[1].messages] == [
        *("system", "user", "assistant", "user")
    ]


def test_what_a_model_was_told_is_told_word_for_word(start: StartPage) -> None:
    model = ScriptedModel([WRONG, RIGHT, RIGHT])
    chat = start(models={"scripted": model}).client.new_chat()
    chat.say("What is 6 times 7?")
    chat.say("And again?")
    for number, call in enumerate(model.calls, 1):
        told = chat.get(f"/turns/t{number}/prompt").json["messages"]
        assert told == [
            {"role": each.role.value, "content": each.content} for each in call.messages
        ]
    assert chat.get("/turns/t9/prompt").status == 404


def test_a_chat_lies_in_a_folder(start: StartPage) -> None:
    client = start().client
    chat = client.new_chat(settings={"folder": " Sums "})
    assert client.get("/api/chats").json["chats"][0]["settings"] == {"folder": "Sums"}
    path = f"/api/chats/{chat.id}"
    assert client.ask("PATCH", path, {"settings": {"folder": ""}}).json["settings"]["folder"] == ""
    for wrong in ("x" * 61, "a\nb", 3):
        answer = client.ask("PATCH", path, {"settings": {"folder": wrong}})
        assert answer.status == 400, wrong


def test_a_stream_resumes_where_its_reader_left_it(start: StartPage) -> None:
    chat = start(replies=[RIGHT]).client.new_chat()
    whole = chat.say("Go.")
    half = whole[len(whole) // 2]["seq"]
    stream = chat.stream(after=1, Last_Event_ID=str(half))
    rest = [next(stream) for _ in whole[half:]]
    stream.close()
    assert [(each["seq"], each["data"]) for each in rest] == [
        (each["seq"], each["data"]) for each in whole[half:]
    ]


def test_a_stream_tells_what_happens_while_it_is_read(start: StartPage) -> None:
    chat = start(replies=[RIGHT]).client.new_chat()
    stream = chat.stream()
    chat.post("/messages", {"text": "Go."})
    seen = []
    for event in stream:
        seen.append(event["type"])
        if event["type"] == "work.ended":
            break
    stream.close()
    assert seen == kinds(chat.events())


def test_variables_are_back_after_the_server_was_started_again(start: StartPage) -> None:
    server = start()
    chat = server.client.new_chat()
    chat.run("x = [1, 2]\nprint(x)")
    server.stop()
    again = start()
    chat.client = again.client
    assert chat.run("print(sum(x))")["stdout"]["text"] == "3\n"
    assert chat.data("sandbox.replayed") == [{"cells": 1, "complete": True, "differences": []}]
