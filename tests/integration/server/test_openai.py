"""OpenAI's forms and MCP over real jails: what a user may, what others may not, what fails."""

import http.client
import json
import time
from typing import Any

import pytest
from page_server import Answer, Client, PageServer, StartPage

from codeloop.core.errors import ModelError
from codeloop.models.scripted import ScriptedModel

pytestmark = pytest.mark.jail

TOOLS = [{"type": "code_interpreter", "container": {"type": "auto"}}]
SPIN = "```python\nprint('begun', flush=True)\nwhile True: pass\n```"


def respond(client: Client, text: str, **more: Any) -> dict[str, Any]:
    body = {"model": "scripted", "input": text, "tools": TOOLS, **more}
    answer = client.post("/v1/responses", body)
    assert answer.status == 200, answer.body
    response: dict[str, Any] = answer.json
    return response


def call_of(response: dict[str, Any]) -> dict[str, Any]:
    calls: list[dict[str, Any]] = [
        item for item in response["output"] if item["type"] == "code_interpreter_call"
    ]
    return calls[-1]


def complete(client: Client, messages: list[dict[str, str]], model: str) -> Answer:
    return client.post("/v1/chat/completions", {"model": model, "messages": messages})


def test_another_user_gets_404_for_all_that_a_user_has(start: StartPage) -> None:
    server = start(replies=["```python\nopen('a.txt', 'w').write('a')\n```"])
    ada, bob = server.user("ada"), server.user("bob")
    response = respond(ada, "Write it")
    container = call_of(response)["container_id"]
    (file,) = ada.get(f"/v1/containers/{container}/files").json["data"]
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b--'
    kind = "multipart/form-data; boundary=b"
    upload = ada.ask("POST", "/v1/files", form, Content_Type=kind).json["id"]
    init = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}
    session = ada.post("/mcp", init).headers["mcp-session-id"]
    one = f"/v1/containers/{container}"
    paths = [
        ("GET", f"/v1/responses/{response['id']}"),
        ("DELETE", f"/v1/responses/{response['id']}"),
        ("POST", f"/v1/responses/{response['id']}/cancel"),
        ("GET", f"/v1/responses/{response['id']}/input_items"),
        ("GET", one),
        ("GET", f"{one}/files"),
        ("GET", f"{one}/files/{file['id']}"),
        ("GET", f"{one}/files/{file['id']}/content"),
        ("DELETE", f"{one}/files/{file['id']}"),
        ("DELETE", one),
        ("GET", f"/v1/files/{upload}"),
        ("GET", f"/v1/files/{upload}/content"),
        ("DELETE", f"/v1/files/{upload}"),
    ]
    for method, path in paths:
        assert bob.ask(method, path).status == 404, path
    ping = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    assert bob.post("/mcp", ping, Mcp_Session_Id=session).status == 404
    body = {"model": "scripted", "input": "x", "previous_response_id": response["id"]}
    assert bob.post("/v1/responses", body).status == 404
    tools = [{"type": "code_interpreter", "container": container}]
    assert (
        bob.post("/v1/responses", {"model": "scripted", "input": "x", "tools": tools}).status == 404
    )
    assert bob.get("/v1/containers").json["data"] == []
    assert bob.get("/v1/files").json["data"] == []
    assert ada.get(one).status == 200


def test_a_response_that_is_not_to_be_kept_is_not(start: StartPage) -> None:
    client = start(replies=["Hello."]).client
    response = respond(client, "hi", tools=[], store=False)
    assert response["output"][0]["content"][0]["text"] == "Hello."
    assert client.get(f"/v1/responses/{response['id']}").status == 404


def test_a_model_that_fails_makes_a_failed_response_and_an_error_of_a_completion(
    start: StartPage,
) -> None:
    client = start(replies=[ModelError("the endpoint is gone")] * 2).client
    response = respond(client, "hi")
    assert response["status"] == "failed"
    assert response["error"]["message"] == "the endpoint is gone"
    answer = complete(client, [{"role": "user", "content": "hi"}], "scripted")
    assert (answer.status, answer.json["error"]["message"]) == (503, "the endpoint is gone")


def test_a_loop_ends_when_its_client_hangs_up_in_mid_run(start: StartPage) -> None:
    server = start(replies=[SPIN])
    body = {"model": "scripted", "input": "spin", "tools": TOOLS, "stream": True}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/responses", json.dumps(body), headers)
    response = connection.getresponse()
    created = json.loads(_data(response))
    while b"interpreting" not in response.readline():
        pass
    response.close()
    connection.close()
    name = created["response"]["id"]
    until(lambda: server.client.get(f"/v1/responses/{name}").json["status"] == "cancelled")


STUBBORN = """```python
print('begun', flush=True)
while True:
    try:
        while True: pass
    except KeyboardInterrupt:
        pass
```"""


def test_code_that_takes_no_notice_of_a_cancel_is_killed_and_its_container_lives_on(
    start: StartPage,
) -> None:
    server = start(replies=[STUBBORN, "```python\nprint('well')\n```"])
    begun = respond(server.client, "spin", background=True)
    name = begun["id"]
    until(lambda: call_started(server, name))
    assert server.client.post(f"/v1/responses/{name}/cancel").json["status"] == "cancelled"
    container = call_of(server.client.get(f"/v1/responses/{name}").json)["container_id"]
    tools = [{"type": "code_interpreter", "container": container}]
    include = ["code_interpreter_call.outputs"]
    second = respond(server.client, "go on", tools=tools, include=include)
    assert call_of(second)["outputs"] == [{"type": "logs", "logs": "well\n"}]


def test_a_loop_of_completions_is_stopped_when_its_client_hangs_up(start: StartPage) -> None:
    server = start(replies=[STUBBORN, "Well."])
    body = {"model": "scripted+run", "stream": True}
    body["messages"] = [{"role": "user", "content": "spin"}]
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    response = connection.getresponse()
    _data(response)
    time.sleep(0.3)  # for the code to begin
    response.close()
    connection.close()
    answer = complete(server.client, [{"role": "user", "content": "well?"}], "scripted+run")
    assert answer.json["choices"][0]["message"]["content"] == "Well."


def call_started(server: PageServer, response: str) -> bool:
    """Return whether the code of a response in the background has printed something."""
    containers = server.client.get("/v1/containers").json["data"]
    paths = [f"/api/chats/{each['id'][5:]}/events?wait=0" for each in containers]
    return any(b"begun" in server.client.get(path).body for path in paths)


def test_files_that_come_with_a_request_lie_there_and_the_model_is_told_of_them(
    start: StartPage,
) -> None:
    model = ScriptedModel(["```python\nprint(open('rain.csv').read())\n```", "Again."])
    client = start(models={"scripted": model}).client
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="rain.csv"\r\n\r\n'
    form += b"month,rain\nMay,7\n\r\n--b--"
    kind = "multipart/form-data; boundary=b"
    name = client.ask("POST", "/v1/files", form, Content_Type=kind).json["id"]
    tools = [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": [name]}}]
    first = respond(client, "Read it", tools=tools, include=["code_interpreter_call.outputs"])
    assert "May,7" in call_of(first)["outputs"][0]["logs"]
    asked = model.calls[0].messages[-1].content
    assert asked.startswith("Read it\n")
    assert "rain.csv" in asked
    assert "month,rain" in asked
    respond(client, "Once more", tools=tools, previous_response_id=first["id"])
    assert "month,rain" in model.calls[1].messages[-1].content


def test_tokens_of_all_forms_count_for_their_user(start: StartPage) -> None:
    server = start(replies=["One.", "Two.", "Three."])
    client = server.client
    hi = [{"role": "user", "content": "hi"}]
    told = [complete(client, hi, name).json["usage"] for name in ("scripted", "scripted+run")]
    spent = sum(each["completion_tokens"] for each in told)
    spent += respond(client, "hi", store=False)["usage"]["output_tokens"]
    assert spent > 0
    assert json.dumps(spent) in json.dumps(client.get("/api/usage").json)
    assert json.dumps(spent) not in json.dumps(server.user("bob").get("/api/usage").json)


@pytest.mark.parametrize("path", ["/v1/models", "/mcp", "/v1/containers"])
def test_no_form_answers_a_page_of_another_origin_or_under_another_name(
    start: StartPage, path: str
) -> None:
    client = start().client
    assert client.get(path, Origin="http://evil.example").status == 403
    assert client.get(path, Host="evil.example").status == 421


def test_a_file_whose_name_is_no_text_is_listed_and_fetched(start: StartPage) -> None:
    server = start(replies=["```python\nopen(b'\\xff', 'w').write('a')\n```"])
    container = call_of(respond(server.client, "Write it"))["container_id"]
    (file,) = server.client.get(f"/v1/containers/{container}/files").json["data"]
    assert file["path"] == "/work/\ufffd"
    one = f"/v1/containers/{container}/files/{file['id']}/content"
    assert server.client.get(one).body == b"a"
    call = {"name": "list_files", "arguments": {}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    answer = server.client.post("/mcp", message, Mcp_Session_Id=container)
    assert "\ufffd  1 bytes" in answer.json["result"]["content"][0]["text"]


def test_two_responses_in_one_container_do_not_mix(start: StartPage) -> None:
    server = start(replies=[SPIN, "```python\n1\n```"])
    container = server.client.post("/v1/containers", {"name": "c"}).json["id"]
    tools = [{"type": "code_interpreter", "container": container}]
    begun = respond(server.client, "spin", tools=tools, background=True)
    until(lambda: b"begun" in server.client.get(f"/api/chats/{container[5:]}/events?wait=0").body)
    second = respond(server.client, "two", tools=tools)
    assert second["status"] == "failed"
    assert second["error"]["code"] == "container_busy"
    answer = server.client.post(f"/v1/responses/{begun['id']}/cancel")
    assert answer.json["status"] == "cancelled"


def test_what_a_container_has_run_is_a_chat_that_can_be_taken_out(start: StartPage) -> None:
    server = start(replies=["```python\nx = 6 * 7\nprint(x)\n```"])
    container = call_of(respond(server.client, "Compute"))["container_id"]
    events = server.client.get(f"/api/chats/{container[5:]}/events?wait=0").json["events"]
    assert [each["type"] for each in events if each["type"].startswith("cell")] == [
        *("cell.added", "cell.started", "cell.output", "cell.finished")
    ]
    assert server.client.get("/api/chats").json["chats"] == []


def test_code_that_asks_for_input_is_told_that_there_is_none(start: StartPage) -> None:
    server = start(replies=["```python\ninput('name? ')\n```", "Oh."] * 2)
    response = respond(server.client, "ask", include=["code_interpreter_call.outputs"])
    assert "EOFError" in call_of(response)["outputs"][0]["logs"]
    answer = complete(server.client, [{"role": "user", "content": "ask"}], "scripted+run")
    assert "EOFError" in answer.json["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"model": "scripted", "messages": "x"}),
        ("/v1/chat/completions", {"model": "scripted", "messages": [{"role": 1}]}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}]}),
        ("/v1/chat/completions", {"model": "scripted+run", "messages": [{"role": "tool"}]}),
        ("/v1/responses", {"model": "scripted"}),
        ("/v1/responses", {"model": "scripted", "input": [{"type": "item_reference"}]}),
        ("/v1/responses", {"model": "scripted", "input": "x", "tools": {}}),
        ("/v1/responses", {"model": "scripted", "input": "x", "include": "y"}),
        ("/v1/responses", {"model": "scripted", "input": "x", "max_tool_calls": 0}),
        ("/v1/responses", {"model": "scripted", "input": "x", "top_p": "y"}),
        ("/v1/containers", {"memory_limit": "3g"}),
        ("/v1/containers", {"network_policy": {"type": "allowlist"}}),
        ("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
    ],
)
def test_a_wrong_request_gets_one_line_that_says_why(
    start: StartPage, path: str, body: object
) -> None:
    answer = start().client.post(path, body)
    assert answer.status == 400
    assert answer.json["error"]["message"]


def test_no_form_is_served_without_a_token(start: StartPage) -> None:
    server: PageServer = start()
    stranger = Client(server.port)
    for path in ("/v1/models", "/v1/containers", "/v1/files", "/v1/responses/resp_x"):
        assert stranger.get(path).status == 401
    assert stranger.post("/mcp", {}).status == 401


def _data(response: http.client.HTTPResponse) -> bytes:
    while not (line := response.readline()).startswith(b"data: "):
        pass
    return line[6:]


def until(seen: Any) -> None:
    end = time.monotonic() + 30
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.02)
