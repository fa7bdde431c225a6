"""An OpenAI-compatible endpoint on loopback for benchmarks: quick, and as slow as it is told.

    python bench/mock_endpoint.py --latency-s 1 --rate 100 --burst 10

It prints its port. `GET /stats` gives what it counted, as JSON. Above the rate it answers 429
with Retry-After. The reply to a request is always the same: a sentence and a program. With
`--dialogues` it depends on the request, so that a dialogue has two turns, the second of which
uses a variable of the first; and different requests are counted. With `--roles` the model's name
is a role: a judge scores, a user is content, a writer's code fails, anybody else's ends well.
"""

import argparse
import asyncio
import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

REPLY = "Here it is.\n\n```python\nprint(sum(range(10)))\n```\n"
USAGE = {"prompt_tokens": 40, "completion_tokens": 20, "total_tokens": 60}
FIRST = "I try it.\n\n```python\nx = {n}\nraise ValueError(x)\n```\n"
SECOND = "x is kept.\n\n```python\nprint(x + 1)\n```\n"
SCORES = "333334444555"  # what a judge says, by the request: both of two pass in 55 of 100
HEAD = "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{more}\r\n"


@contextmanager
def mock(*options: str) -> Iterator[int]:
    """Start the endpoint in a process of its own; yield its port."""
    command = [sys.executable, __file__, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        try:
            yield int(running.stdout.readline())
        finally:
            running.kill()


def answer(status: str, body: bytes, *, kind: str = "application/json", more: str = "") -> bytes:
    """Return a whole HTTP answer."""
    head = HEAD.format(status=status, kind=kind, length=len(body), more=more)
    return head.encode() + body


def whole(text: str) -> bytes:
    """Return the answer that is not streamed."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "mock"}
    return answer("200 OK", json.dumps(body | {"choices": [choice], "usage": USAGE}).encode())


def streamed() -> bytes:
    """Return the answer in server-sent events: eight pieces, the end, the usage."""
    base: dict[str, Any] = {"id": "x", "object": "chat.completion.chunk", "created": 1}
    cut = max(1, len(REPLY) // 8)
    pieces = [REPLY[at : at + cut] for at in range(0, len(REPLY), cut)]
    choices = [[{"index": 0, "delta": {"content": piece}}] for piece in pieces]
    choices.append([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    events = [base | {"model": "mock", "choices": each} for each in choices]
    events.append(base | {"model": "mock", "choices": [], "usage": USAGE})
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    body = "".join([*lines, "data: [DONE]\n\n"]).encode()
    return answer("200 OK", body, kind="text/event-stream")


def turn_of(body: bytes) -> str:
    """Return the reply to `Question N`: code that fails, and then code that goes on from it."""
    messages = json.loads(body)["messages"]
    if any(each["role"] == "assistant" for each in messages):
        return SECOND
    asked = next(each["content"] for each in messages if each["role"] == "user")
    return FIRST.format(n=re.findall(r"\d+", asked)[0])


def said_by(body: bytes) -> str:
    """Return the reply of whoever is asked."""
    drawn = hashlib.sha256(body).digest()[0]
    match json.loads(body)["model"]:
        case "judge":
            return f"Score: {SCORES[drawn % len(SCORES)]}"
        case "user":
            return '{"satisfied": true, "feedback": ""}'
        case "writer":
            return FIRST.format(n=drawn)
        case _:
            return SECOND


class Bucket:
    """Lets `rate` requests a second through, and `burst` at once; counts all of them."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self.tokens, self.at = burst, time.monotonic()
        self.served = self.rejected = 0
        self.first = self.last = 0.0
        self.distinct: set[bytes] = set()

    def takes(self) -> float:
        """Return 0 if a request may pass, else the seconds until one may."""
        now = time.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.rate and self.tokens < 1:
            self.rejected += 1
            return (1 - self.tokens) / self.rate
        self.tokens -= 1
        self.served += 1
        self.first = self.first or now
        self.last = now
        return 0.0

    def stats(self) -> dict[str, float]:
        """Return what was counted so far."""
        return {
            "served": self.served,
            "rejected": self.rejected,
            "seconds": self.last - self.first,
            "distinct": len(self.distinct),
        }


class Mock(asyncio.Protocol):
    """One connection: requests in, answers out, no more of HTTP than clients need."""

    def __init__(self, bucket: Bucket, args: argparse.Namespace) -> None:
        self.bucket = bucket
        self.latency_s: float = args.latency_s
        self.whole_seconds: bool = args.whole_seconds
        self.dialogues: bool = args.dialogues
        self.roles: bool = args.roles
        self.transport: Any = None
        self.data = b""

    def connection_made(self, transport: Any) -> None:
        """Remember where to write."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is here whole."""
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.data) < end + 4 + length:
                return
            body = self.data[end + 4 : end + 4 + length]
            self.data = self.data[end + 4 + length :]
            self.respond(head, body)

    def respond(self, head: bytes, body: bytes) -> None:
        """Send the answer, now or after the latency."""
        if head.startswith(b"get /stats"):
            self.write(answer("200 OK", json.dumps(self.bucket.stats()).encode()))
            return
        if not head.startswith(b"post"):
            self.write(answer("404 Not Found", b"{}"))
            return
        wait_s = self.bucket.takes()
        if wait_s:
            shown = max(1, round(wait_s + 0.5)) if self.whole_seconds else round(wait_s + 0.001, 3)
            more = f"Retry-After: {shown}\r\n"
            error = b'{"error": {"message": "too many requests", "code": "rate_limit"}}'
            self.write(answer("429 Too Many Requests", error, more=more))
            return
        reply = STREAMED if b'"stream":true' in body.replace(b" ", b"") else WHOLE
        if self.dialogues:
            self.bucket.distinct.add(hashlib.sha256(body).digest())
            reply = whole(turn_of(body))
        if self.roles:
            reply = whole(said_by(body))
        if self.latency_s:
            asyncio.get_running_loop().call_later(self.latency_s, self.write, reply)
        else:
            self.write(reply)

    def write(self, data: bytes) -> None:
        """Write, if there is still somebody."""
        if not self.transport.is_closing():
            self.transport.write(data)


WHOLE, STREAMED = whole(REPLY), streamed()


async def serve(args: argparse.Namespace) -> None:
    """Listen until killed."""
    bucket = Bucket(args.rate, args.burst)
    server = await asyncio.get_running_loop().create_server(
        lambda: Mock(bucket, args),
        "127.0.0.1",
        0,
        backlog=1024,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Parse and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency-s", type=float, default=0.0)
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second; 0: any")
    parser.add_argument("--burst", type=float, default=1.0)
    parser.add_argument("--whole-seconds", action="store_true", help="as Retry-After has them")
    parser.add_argument("--dialogues", action="store_true", help="replies of two turns, counted")
    parser.add_argument("--roles", action="store_true", help="replies by the model's name")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
