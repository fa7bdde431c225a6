"""Responses that go on: functions that the client answers, conversations, streams read again."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from page_server import Client, StartPage

from codeloop.models.scripted import ScriptedModel

pytestmark = pytest.mark.jail

TOOLS = [{"type": "code_interpreter", "container": {"type": "auto"}}]
WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a town",
    "parameters": {"type": "object", "properties": {"town": {"type": "string"}}},
}
CALL = 'I ask.\n\n```call\n{"name": "weather", "arguments": {"town": "Bonn"}}\n```\n'


def respond(client: Client, given: object, **more: Any) -> dict[str, Any]:
    answer = client.post("/v1/responses", {"model": "scripted", "input": given, **more})
    assert answer.status == 200, answer.body
    response: dict[str, Any] = answer.json
    return response


def kinds(response: dict[str, Any]) -> list[str]:
    return [each["type"] for each in response["output"]]


def events(body: bytes) -> Iterator[dict[str, Any]]:
    for line in body.decode().splitlines():
        if line.startswith("data: "):
            yield json.loads(line[6:])


def test_a_function_is_called_by_the_model_and_answered_by_the_client(start: StartPage) -> None:
    model = ScriptedModel([CALL, "It rains in Bonn."])
    client = start(models={"scripted": model}).client
    first = respond(client, "How is Bonn?", tools=[WEATHER], instructions="Be short.")
    assert kinds(first) == ["message", "function_call"]
    assert first["output"][0]["content"][0]["text"].strip() == "I ask."
    call = first["output"][1]
    assert (call["name"], json.loads(call["arguments"])) == ("weather", {"town": "Bonn"})
    said = {"type": "function_call_output", "call_id": call["call_id"], "output": "rain"}
    done = respond(client, [said], tools=[WEATHER], previous_response_id=first["id"])
    assert done["output"][0]["content"][0]["text"] == "It rains in Bonn."
    system, *_, last = model.calls[1].messages
    assert "The weather of a town" in system.content
    assert "`weather` returned:\n\n```\nrain\n```" in last.content
    again = ScriptedModel(["It rains."])
    client = start(models={"scripted": again}).client
    asked = {"role": "user", "content": "How is Bonn?"}
    respond(client, [asked, *first["output"], said], tools=[WEATHER])
    assert [each.role.value for each in again.calls[0].messages] == [
        *("system", "user", "assistant", "user")
    ]
    assert "`weather` returned" in again.calls[0].messages[-1].content


def test_code_runs_before_a_function_is_called(start: StartPage) -> None:
    ran = "```python\nprint('Bo' + 'nn')\n```\n" + CALL
    client = start(replies=[ran]).client
    done = respond(client, "How is it?", tools=[*TOOLS, WEATHER])
    assert kinds(done) == ["message", "code_interpreter_call", "function_call"]
    broken = ["```python\n1 / 0\n```\n" + CALL, CALL]
    client = start(models={"scripted": ScriptedModel(broken)}).client
    both = respond(client, "How is it?", tools=[*TOOLS, WEATHER])
    assert kinds(both)[-1] == "function_call"
    assert kinds(both).count("function_call") == 1  # the loop went on after the other


@pytest.mark.parametrize(
    "block",
    [
        '{"name": "other", "arguments": {}}',
        '{"name": "weather", "arguments": []}',
        '{"name": ["weather"], "arguments": {}}',
        "[1]",
        "not JSON",
    ],
)
def test_what_is_no_call_stays_a_block_of_text(start: StartPage, block: str) -> None:
    client = start(replies=[f"Look:\n```call\n{block}\n```\n"]).client
    response = respond(client, "Go", tools=[WEATHER])
    assert kinds(response) == ["message"]
    assert block in response["output"][0]["content"][0]["text"]


def test_functions_are_streamed_as_their_form_says(start: StartPage) -> None:
    client = start(replies=[CALL]).client
    body = {"model": "scripted", "input": "Go", "tools": [WEATHER], "stream": True}
    told = list(events(client.post("/v1/responses", body).body))
    function = "response.function_call_arguments"
    assert [each["type"] for each in told][-5:] == [
        *("response.output_item.added", f"{function}.delta", f"{function}.done"),
        *("response.output_item.done", "response.completed"),
    ]


@pytest.mark.parametrize("stored", [True, False])
def test_a_conversation_goes_on_with_its_variables(start: StartPage, stored: bool) -> None:
    replies = ["```python\nx = 41\nprint('set')\n```", "Done.", "```python\nprint(x + 1)\n```"]
    model = ScriptedModel([replies[0], replies[2]])
    server = start(models={"scripted": model})
    client = server.client
    made = client.post("/v1/conversations", {"metadata": {"topic": "x"}}).json
    more = {"conversation": made["id"], "tools": TOOLS, "store": stored}
    first = respond(client, "Set x", **more)
    assert first["conversation"] == {"id": made["id"]}
    second = respond(client, "Add one", include=["code_interpreter_call.outputs"], **more)
    assert second["output"][-1]["outputs"][0]["logs"] == "42\n"
    assert "set" in model.calls[1].messages[-1].content
    items = client.get(f"/v1/conversations/{made['id']}/items?order=asc").json["data"]
    assert [each["type"] for each in items] == [
        *("message", "code_interpreter_call", "message", "code_interpreter_call")
    ]
    one = f"/v1/conversations/{made['id']}"
    assert client.get(one).json["metadata"] == {"topic": "x"}
    assert client.post(one, {"metadata": {}}).json["metadata"] == {}
    assert client.ask("DELETE", f"{one}/items/{items[0]['id']}").json["id"] == made["id"]
    assert client.get(f"{one}/items/{items[0]['id']}").status == 404
    page = client.get(f"{one}/items?limit=2").json
    assert [each["id"] for each in page["data"]] == [items[3]["id"], items[2]["id"]]
    assert page["has_more"]
    rest = client.get(f"{one}/items?limit=2&after={page['last_id']}").json
    assert [each["id"] for each in rest["data"]] == [items[1]["id"]]
    for method, path in (("GET", one), ("POST", one), ("DELETE", one), ("GET", f"{one}/items")):
        assert server.user("bob").ask(method, path, {} if method == "POST" else None).status == 404
    assert client.ask("DELETE", one).json["deleted"] is True
    assert client.get(one).status == 404


def test_items_of_a_conversation_are_what_the_model_is_told(start: StartPage) -> None:
    model = ScriptedModel(["Ada."])
    client = start(models={"scripted": model}).client
    items = [
        {"role": "user", "content": "I am Ada."},
        {"type": "message", "role": "assistant", "content": "Hello."},
    ]
    made = client.post("/v1/conversations", {"items": items}).json["id"]
    respond(client, "Who am I?", conversation={"id": made})
    assert [each.content for each in model.calls[0].messages] == [
        *("I am Ada.", "Hello.", "Who am I?")
    ]
    body = {"model": "scripted", "input": "x", "conversation": made, "previous_response_id": "y"}
    assert client.post("/v1/responses", body).status == 400


def test_a_stream_is_read_again_from_where_its_reader_was(start: StartPage) -> None:
    server = start(replies=["One two three four five."])
    client = server.client
    body = {"model": "scripted", "input": "Count", "background": True, "stream": True}
    whole = list(events(client.post("/v1/responses", body).body))
    name = whole[-1]["response"]["id"]
    half = whole[len(whole) // 2]["sequence_number"]
    path = f"/v1/responses/{name}?stream=true"
    rest = list(events(client.get(f"{path}&starting_after={half}").body))
    assert rest == whole[half + 1 :]
    assert list(events(client.get(path).body)) == whole
    assert server.user("bob").get(path).status == 404
    server.stop()
    late = list(events(start().client.get(path).body))
    assert [(each["type"], each["sequence_number"]) for each in late] == [
        ("response.completed", whole[-1]["sequence_number"])
    ]
    assert late[0]["response"]["output"] == whole[-1]["response"]["output"]


def test_pictures_and_files_of_a_message_lie_in_the_container(start: StartPage) -> None:
    code = "```python\nimport os\nprint(sorted(os.listdir()), open('a.csv').read())\n```"
    model = ScriptedModel([code])
    client = start(models={"scripted": model}).client
    png = "data:image/png;base64," + base64.b64encode(b"\x89PNG").decode()
    csv = "data:text/csv;base64," + base64.b64encode(b"x\n41\n").decode()
    content = [
        {"type": "input_text", "text": "Look"},
        {"type": "input_image", "image_url": png, "detail": "auto"},
        {"type": "input_file", "filename": "../a.csv", "file_data": csv},
    ]
    asked = [{"role": "user", "content": content}]
    done = respond(client, asked, tools=TOOLS, include=["code_interpreter_call.outputs"])
    logs = next(each for each in done["output"] if each["type"] != "message")["outputs"][0]["logs"]
    assert logs == "['a.csv', 'picture-1.png'] x\n41\n\n"
    told = model.calls[0].messages[-1].content
    assert told.startswith("Look")
    assert "a.csv" in told
    assert "picture-1.png" in told


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_image", "image_url": "https://example.org/a.png"},
        {"type": "input_image", "image_url": "data:image/png;base64,===="},
        {"type": "input_file", "filename": "a.csv"},
        {"type": "input_file", "filename": "..", "file_data": "YQ=="},
    ],
)
def test_a_picture_that_is_not_whole_or_elsewhere_is_refused(
    start: StartPage, part: dict[str, str]
) -> None:
    client = start(replies=["No."]).client
    body = {"model": "scripted", "input": [{"role": "user", "content": [part]}]}
    for more in ({"tools": TOOLS}, {}):
        assert client.post("/v1/responses", body | more).status == 400


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": []}]},
        {"tools": [{"type": "function", "name": []}]},
        {"tools": [{"type": "function", "name": "f", "parameters": "x"}]},
        {"tools": [WEATHER], "tool_choice": {"type": "function", "name": "other"}},
        {"input": [{"type": []}]},
        {"input": [{"type": "function_call_output", "call_id": [], "output": {}}]},
        {"input": [{"type": "function_call", "name": "f", "arguments": "{"}]},
        {"input": [{"role": "user", "content": [{"type": []}]}]},
        {"conversation": []},
    ],
)
def test_a_wrong_request_is_refused_in_one_line(start: StartPage, more: dict[str, Any]) -> None:
    body = {"model": "scripted", "input": "x", **more}
    answer = start(replies=["No."]).client.post("/v1/responses", body)
    assert answer.status == 400, answer.body
    assert answer.json["error"]["message"]
