"""Requests that only an endpoint can answer: passed on as they are, and so is the answer."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from page_server import StartPage

from codeloop.models import connect

pytestmark = pytest.mark.jail

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
WHOLE = {"choices": [{"message": {"content": None, "tool_calls": [CALL]}}], "usage": {}, "x": 1}
CHUNKS = [
    {"choices": [{"delta": {"tool_calls": [{"index": 0, **CALL}]}}]},
    {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
ASK = {"messages": [{"role": "user", "content": "hi"}], "tools": TOOLS, "response_format": None}


class Endpoint:
    """Answers every request with a call of a tool, or with what it is told to; keeps what came."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.status = 200
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.asked.append(body)
                lines = [f"data: {json.dumps(each)}\n\n" for each in CHUNKS]
                streamed = body.get("stream") is True
                text = "".join([*lines, "data: [DONE]\n\n"]) if streamed else json.dumps(WHOLE)
                self.send_response(endpoint.status)
                kind = "text/event-stream" if streamed else "application/json"
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.server.shutdown()
    made.server.server_close()
    made.thread.join()


def test_tools_are_passed_on_whole(start: StartPage, endpoint: Endpoint) -> None:
    client = start(models={"far": connect("far", base_url=endpoint.url, api_key="k")}).client
    answer = client.post("/v1/chat/completions", {"model": "far", **ASK})
    assert (answer.status, answer.json) == (200, WHOLE)
    assert endpoint.asked == [{"model": "far", **ASK}]


def test_tools_are_passed_on_streamed(start: StartPage, endpoint: Endpoint) -> None:
    client = start(models={"far": connect("far", base_url=endpoint.url, api_key="k")}).client
    answer = client.post("/v1/chat/completions", {"model": "far", **ASK, "stream": True})
    lines = [line[6:] for line in answer.body.decode().split("\n\n") if line]
    assert [json.loads(line) for line in lines[:-1]] == CHUNKS
    assert lines[-1] == "[DONE]"


def test_answers_of_tools_and_pictures_are_passed_on(start: StartPage, endpoint: Endpoint) -> None:
    client = start(models={"far": connect("far", base_url=endpoint.url, api_key="k")}).client
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    messages = [
        {"role": "user", "content": [picture]},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
    ]
    answer = client.post("/v1/chat/completions", {"model": "far", "messages": messages})
    assert answer.status == 200
    assert endpoint.asked[0]["messages"] == messages


def test_an_endpoint_that_refuses_is_an_error_of_the_answer(
    start: StartPage, endpoint: Endpoint
) -> None:
    endpoint.status = 400
    client = start(models={"far": connect("far", base_url=endpoint.url, api_key="k")}).client
    answer = client.post("/v1/chat/completions", {"model": "far", **ASK})
    assert answer.status == 503
    assert "400" in answer.json["error"]["message"]


def test_the_loop_and_models_of_this_process_take_no_tools(
    start: StartPage, endpoint: Endpoint
) -> None:
    client = start(replies=["x"]).client
    for model in ("scripted", "scripted+run"):
        answer = client.post("/v1/chat/completions", {"model": model, **ASK})
        assert answer.status == 400
        assert "tools" in answer.json["error"]["message"]
