# /// script
# requires-python = ">=3.11"
# dependencies = ["openai==3.54.0"]
# ///
"""How much our client adds to a bare HTTP read, and to what the openai SDK takes.

A mock endpoint in a process of its own streams replies. In one interleaved run: the time to the
first token of one call after another, and the processor time of a call with many in flight.
"""

import argparse
import http.client
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

from codeloop.core.dialogue import Message, Role
from codeloop.core.protocols import Sampling
from codeloop.models import connect

TOKENS = 64
TTFT_TARGET = 1.5
CPU_TARGET = 0.4
MESSAGES = (Message(Role.USER, "How do I reverse a list in Python?"),)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

Ask = Callable[[], float]


def chunk(data: dict[str, object] | str) -> bytes:
    """Return an event as a chunk of the transfer encoding."""
    text = f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()
    return f"{len(text):x}\r\n".encode() + text + b"\r\n"


def events() -> Iterator[bytes]:
    """Yield a reply of TOKENS tokens as a server of OpenAI's format sends it."""
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "mock"}
    for _ in range(TOKENS):
        delta = {"index": 0, "delta": {"content": " word"}, "finish_reason": None}
        yield chunk(base | {"choices": [delta]})
    yield chunk(base | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    usage = {"prompt_tokens": 12, "completion_tokens": TOKENS, "total_tokens": 12 + TOKENS}
    yield chunk(base | {"choices": [], "usage": usage})
    yield chunk("[DONE]") + b"0\r\n\r\n"


class Endpoint(StreamRequestHandler):
    """Answers every request on a connection with the same stream, each event sent by itself."""

    disable_nagle_algorithm = True
    parts: tuple[bytes, ...] = ()

    def handle(self) -> None:
        """Serve until the client hangs up."""
        while self.rfile.readline():
            size = 0
            while (line := self.rfile.readline().strip()) != b"":
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
            self.rfile.read(size)
            self.wfile.write(HEAD)
            for part in self.parts:
                self.wfile.write(part)


class Server(ThreadingTCPServer):
    """A thread a connection."""

    daemon_threads = True
    request_queue_size = 256


def serve(port: Connection) -> None:
    """Run the mock endpoint; send its port."""
    Endpoint.parts = tuple(events())
    with Server(("127.0.0.1", 0), Endpoint) as server:
        port.send(server.server_address[1])
        server.serve_forever()


def bare(port: int) -> Ask:
    """Return a call of http.client that only reads: what no client can beat by much."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    body = json.dumps(
        {"model": "mock", "messages": [{"role": "user", "content": "x"}], "stream": True}
    )

    def ask() -> float:
        start = time.perf_counter()
        connection.request(
            "POST", "/v1/chat/completions", body, {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        response.read1()
        first = time.perf_counter() - start
        response.read()
        return first

    return ask


def ours(port: int) -> Ask:
    """Return a call of our client."""
    model = connect("mock", base_url=f"http://127.0.0.1:{port}/v1", api_key="x")

    def ask() -> float:
        start = time.perf_counter()
        with closing(model.stream(MESSAGES, Sampling(max_tokens=TOKENS))) as pieces:
            next(pieces)
            first = time.perf_counter() - start
            if sum(1 for _ in pieces) != TOKENS:
                sys.exit("our client lost pieces")
        return first

    return ask


def sdk(port: int) -> Ask | None:
    """Return a call of the openai SDK, or None if it is not installed."""
    try:
        openai = import_module("openai")
    except ImportError:
        return None
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="x", max_retries=0)

    def ask() -> float:
        start = time.perf_counter()
        stream = client.chat.completions.create(
            model="mock",
            messages=[{"role": "user", "content": MESSAGES[0].content}],
            stream=True,
            stream_options={"include_usage": True},
            max_tokens=TOKENS,
        )
        first = 0.0
        for part in stream:
            if not first and part.choices and part.choices[0].delta.content:
                first = time.perf_counter() - start
        return first

    return ask


def cpu_of(ask: Ask, in_flight: int, calls: int) -> float:
    """Return the processor seconds of a call with so many in flight."""
    with ThreadPoolExecutor(in_flight) as pool:
        start = time.process_time()
        list(pool.map(lambda _: ask(), range(calls)))
        return (time.process_time() - start) / calls


def measure(port: int, runs: int, in_flight: int) -> dict[str, dict[str, float]]:
    """Return the medians of each client."""
    clients = {"http.client": bare(port), "codeloop": ours(port), "openai SDK": sdk(port)}
    present = {name: ask for name, ask in clients.items() if ask is not None}
    first: dict[str, list[float]] = {name: [] for name in present}
    cpu: dict[str, list[float]] = {name: [] for name in present if name != "http.client"}
    for run in range(runs + 5):  # interleaved: what else the machine does hits all alike
        for name, ask in present.items():
            seconds = ask()
            if run >= 5:  # noqa: PLR2004  the first ones warm up
                first[name].append(seconds)
    for run in range(max(3, runs // 20) + 1):
        for name, values in cpu.items():
            seconds = cpu_of(present[name], in_flight, 2 * in_flight)
            if run:
                values.append(seconds)
    rows = {name: {"first_token_ms": statistics.median(v) * 1e3} for name, v in first.items()}
    for name, figures in cpu.items():
        rows[name]["cpu_ms_per_call"] = statistics.median(figures) * 1e3
    return rows


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="calls one after another (200)")
    parser.add_argument("--in-flight", type=int, default=64, help="calls at once (64)")
    default = Path(__file__).parent / "out" / "model.json"
    parser.add_argument("--json", type=Path, metavar="PATH", default=default, help="figures' file")
    args = parser.parse_args()

    ours_end, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    rows = measure(ours_end.recv(), args.runs, args.in_flight)
    server.terminate()

    ratios = {
        "first token, to http.client": rows["codeloop"]["first_token_ms"]
        / rows["http.client"]["first_token_ms"]
    }
    if "openai SDK" in rows:
        ratios["cpu, to the openai SDK"] = (
            rows["codeloop"]["cpu_ms_per_call"] / rows["openai SDK"]["cpu_ms_per_call"]
        )
    targets = {"first token, to http.client": TTFT_TARGET, "cpu, to the openai SDK": CPU_TARGET}
    print(f"{'':14}{'first token ms':>16}{f'cpu ms, {args.in_flight} at once':>22}")
    for name, row in rows.items():
        cpu = f"{row['cpu_ms_per_call']:.2f}" if "cpu_ms_per_call" in row else ""
        print(f"{name:14}{row['first_token_ms']:16.3f}{cpu:>22}")
    for name, ratio in ratios.items():
        verdict = "ok" if ratio <= targets[name] else "MISSED"
        print(f"{name}: {ratio:.2f} (target: at most {targets[name]}) {verdict}")
    if "openai SDK" not in rows:
        print("the openai SDK is not here: scripts/bench model, or pip install openai")
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps({"medians": rows, "ratios": ratios}, indent=2) + "\n")


if __name__ == "__main__":
    main()
