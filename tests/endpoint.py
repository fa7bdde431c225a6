"""A chat endpoint on loopback that counts its calls and fails as it is told, for tests."""

import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = ("429", "500", "late", "cut", "filter", "empty", "hang_up")

FIRST = "I try it.\n\n```python\nx = {n}\nraise ValueError(x)\n```\n"
SECOND = "x is kept, so I go on.\n\n```python\nprint(x + 1)\n```\n"


@dataclass
class Endpoint:
    """Answers `Question N` with code that fails, and then with code that uses its variable.

    A share of the calls meets a fault; each call meets at most `most_faults`, so that whoever
    tries again often enough is answered.
    """

    share: float = 0.0
    most_faults: int = 1
    latency_s: float = 0.0
    late_s: float = 5.0
    asked: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)
    inside: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    endpoint.answer(self, json.loads(body))
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *args: object) -> None: ...

        self.server = _Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, handler: BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
        messages = request["messages"]
        key = json.dumps(messages)
        with self.lock:
            self.asked[key] += 1
            fault = self._fault(key)
            self.faults[fault] += bool(fault)
        if self.latency_s:
            time.sleep(self.latency_s)
        text = reply_to(messages)
        match fault:
            case "429":
                send(handler, 429, b'{"error": {"message": "too many"}}', **{"Retry-After": "0.05"})
            case "500":
                send(handler, 500, b"oh no")
            case "late":
                time.sleep(self.late_s)
                send(handler, 200, chat(text))
            case "cut":
                send(handler, 200, chat(text)[:-30])
            case "filter":
                send(handler, 200, chat("", "content_filter"))
            case "empty":
                send(handler, 200, chat(""))
            case "hang_up":
                handler.close_connection = True
            case _:
                send(handler, 200, chat(text))

    def _fault(self, key: str) -> str:
        choose = random.Random(f"{key} {self.asked[key]}")
        if choose.random() >= self.share or self.met[key] >= self.most_faults:
            return ""
        self.met[key] += 1
        return FAULTS[self.met.total() % len(FAULTS)]


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None: ...


def reply_to(messages: list[dict[str, str]]) -> str:
    question = next(each["content"] for each in messages if each["role"] == "user")
    turns = sum(each["role"] == "assistant" for each in messages)
    return SECOND if turns else FIRST.format(n=question.split()[-1])


def chat(text: str, finish: str = "stop") -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 20, "completion_tokens": 10}
    return json.dumps({"choices": [choice | {"finish_reason": finish}], "usage": usage}).encode()


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
