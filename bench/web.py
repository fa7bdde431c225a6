# /// script
# requires-python = ">=3.11"
# dependencies = ["uv>=0.13"]
# ///
"""What the page's server adds to a model, to a cell, and to a start, next to its peers; JSON out.

    scripts/bench web --json out.json

First token: a mock endpoint that answers at once is asked directly, by a socket and nothing else,
and through a chat, from the request to the first piece in the chat's stream; by turns. Cells: so
many chats with a live session, so many of which run a small cell at once, from the request to the
result in the stream. Start: from the start of the process to the first page, of `codeloop serve`
and of what each peer's documents give as the first example; by turns. A peer is installed once, in
an environment of its own, and started by that environment's interpreter. Wall times.
"""

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mock_endpoint import mock

TOKEN = "the-token-of-the-benchmark"
CELL = "sum(n * n for n in range(100))"
WAIT_S = 60.0
PEERS = {
    "gradio": (
        "gradio==6.31.0",
        ["{python}", "{file}"],
        (
            "import gradio as gr\n"
            "demo = gr.ChatInterface(lambda message, history: message)\n"
            "demo.launch(server_port={port}, quiet=True)\n"
        ),
    ),
    "nicegui": (
        "nicegui==3.18.0",
        ["{python}", "{file}"],
        (
            "from nicegui import ui\n"
            "ui.label('Hello')\n"
            "ui.run(port={port}, show=False, reload=False)\n"
        ),
    ),
    "chainlit": (
        "chainlit==2.12.0",
        ["{python}", "-m", "chainlit", "run", "{file}", "--headless", "--port", "{port}"],
        (
            "import chainlit as cl\n"
            "@cl.on_message\n"
            "async def main(message: cl.Message):\n"
            "    await cl.Message(content=message.content).send()\n"
        ),
    ),
}


@dataclass
class Chat:
    """A chat with its stream open, so that what comes is timed as it comes."""

    port: int
    id: str
    stream: Any
    poster: http.client.HTTPConnection

    def post(self, path: str, body: dict[str, Any]) -> float:
        """Post, and return when that was begun."""
        begun = time.perf_counter()
        sent = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        self.poster.request("POST", f"/api/chats/{self.id}{path}", json.dumps(body), sent)
        answer = self.poster.getresponse()
        data = answer.read()
        assert answer.status == http.client.ACCEPTED, data
        return begun

    def await_event(self, kind: str) -> float:
        """Return when the next event of that type came."""
        wanted = f"event: {kind}\n".encode()
        while line := self.stream.readline():
            if line == wanted:
                return time.perf_counter()
        msg = "the stream ended"
        raise AssertionError(msg)


@contextmanager
def serve(folder: Path, *options: str) -> Iterator[int]:
    """Start codeloop; yield its port."""
    (folder / "token").write_text(TOKEN, encoding="utf-8")
    command = [sys.executable, "-m", "codeloop", "serve", "--port", "0", *options]
    command += ["--data", str(folder / "kept"), "--token-file", str(folder / "token")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline().split(":")[2].partition("/")[0])
        finally:
            process.terminate()


def open_chat(port: int) -> Chat:
    """Make a chat, and listen to it."""
    poster = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    sent = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    poster.request("POST", "/api/chats", "{}", sent)
    name = json.loads(poster.getresponse().read())["id"]
    listener = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    listener.request("GET", f"/api/chats/{name}/events", headers=sent)
    return Chat(port, name, listener.getresponse(), poster)


def first_token_direct(port: int) -> float:
    """Return the seconds to the first piece of a reply, asked by a socket."""
    message = {"role": "user", "content": "Go."}
    body = json.dumps({"model": "m", "messages": [message], "stream": True}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    begun = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        seen = b""
        while b"data: " not in seen:
            seen += connection.recv(65536)
    return time.perf_counter() - begun


def first_token(rounds: int) -> dict[str, float]:
    """Return the medians of both ways, and what ours adds, in milliseconds."""
    direct, ours = [], []
    with ExitStack() as stack:
        model_port = stack.enter_context(mock())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"http://127.0.0.1:{model_port}/v1"
        port = stack.enter_context(serve(folder, "--base-url", url, "--model", "m"))
        for number in range(rounds + 1):
            one = first_token_direct(model_port)
            chat = open_chat(port)
            begun = chat.post("/messages", {"text": "Go.", "mode": "ask"})
            other = chat.await_event("text.delta") - begun
            chat.await_event("work.ended")
            if number:  # the first opens what is opened once
                direct.append(one * 1000)
                ours.append(other * 1000)
    medians = statistics.median(direct), statistics.median(ours)
    return {
        "direct_ms": medians[0],
        "chat_ms": medians[1],
        "added_ms": medians[1] - medians[0],
        "added_p95_ms": percentile([b - a for a, b in zip(direct, ours, strict=True)], 95),
    }


def cells(chats: int, running: int, each: int) -> dict[str, float]:
    """Return how long a small cell takes through HTTP while so many run, in milliseconds."""
    times: list[float] = []
    lock = threading.Lock()
    with tempfile.TemporaryDirectory() as name, serve(Path(name)) as port:
        begun = time.perf_counter()
        opened = [open_chat(port) for _ in range(chats)]
        with ThreadPoolExecutor(running) as pool:
            list(pool.map(run_cell, opened))
        opened_s = time.perf_counter() - begun

        def work(place: int) -> None:
            for number in range(each):
                taken = run_cell(opened[(place + number * running) % chats])
                with lock:
                    times.append(taken * 1000)

        with ThreadPoolExecutor(running) as pool:
            list(pool.map(work, range(running)))
        alone = [run_cell(chat) * 1000 for chat in opened[:30]]
    return {
        "chats": chats,
        "running": running,
        "cells": len(times),
        "open_all_s": opened_s,
        "median_ms": statistics.median(times),
        "p95_ms": percentile(times, 95),
        "alone_median_ms": statistics.median(alone),
        "alone_p95_ms": percentile(alone, 95),
    }


def run_cell(chat: Chat) -> float:
    """Return the seconds that a cell took, from the request to its result."""
    begun = chat.post("/cells", {"code": CELL})
    taken = chat.await_event("cell.finished") - begun
    chat.await_event("work.ended")
    return taken


def percentile(values: list[float], share: int) -> float:
    """Return the value below which so many of a hundred lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * share // 100)]


def starts(rounds: int, peers: list[str]) -> dict[str, dict[str, float]]:
    """Return how long each takes to its first page, in seconds."""
    times: dict[str, list[float]] = {name: [] for name in ("codeloop", *peers)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pythons = {peer: environment(PEERS[peer][0], folder / peer) for peer in peers}
        for number in range(rounds + 1):
            for way, found in times.items():
                taken = start_of(way, pythons.get(way, ""), folder)
                if number:  # the first fills caches of files, for all alike
                    found.append(taken)
    return {
        way: {"median_s": statistics.median(found), "least_s": min(found), "most_s": max(found)}
        for way, found in times.items()
    }


def environment(requirement: str, folder: Path) -> str:
    """Return the interpreter of an environment that has a peer."""
    python = folder / "bin" / "python"
    subprocess.run(["uv", "venv", "--quiet", str(folder)], check=True)
    install = ["uv", "pip", "install", "--quiet", "--python", str(python), requirement]
    subprocess.run(install, check=True)
    return str(python)


def start_of(way: str, python: str, folder: Path) -> float:
    """Start one, and return the seconds until its page was answered whole."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    if way == "codeloop":
        command = [sys.executable, "-m", "codeloop", "serve", "--port", str(port)]
        command += ["--data", str(folder / "kept")]
    else:
        file = folder / f"{way}_hello.py"
        file.write_text(PEERS[way][2].replace("{port}", str(port)), encoding="utf-8")
        known = {"python": python, "file": str(file), "port": str(port)}
        command = [part.format(**known) for part in PEERS[way][1]]
    env = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", "ANONYMIZED_TELEMETRY": "false"}
    begun = time.perf_counter()
    with subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            while not answers(port):
                assert process.poll() is None, f"{way} ended"
                assert time.perf_counter() - begun < WAIT_S, f"{way} does not answer"
                time.sleep(0.005)
            return time.perf_counter() - begun
        finally:
            process.terminate()


def answers(port: int) -> bool:
    """Return whether a page is answered at a port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        return answer.status == http.client.OK and bool(answer.read())
    except OSError:
        return False
    finally:
        connection.close()


def main() -> None:
    """Measure, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chats", type=int, default=200)
    parser.add_argument("--running", type=int, default=20)
    parser.add_argument("--cells", type=int, default=20, help="of each that runs (default: 20)")
    parser.add_argument("--rounds", type=int, default=40, help="of the first token (default: 40)")
    parser.add_argument("--starts", type=int, default=5, help="of each server (default: 5)")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures to a file")
    args = parser.parse_args()

    figures: dict[str, Any] = {"first_token": first_token(args.rounds)}
    print(json.dumps(figures["first_token"]), flush=True)
    figures["cells"] = cells(args.chats, args.running, args.cells)
    print(json.dumps(figures["cells"]), flush=True)
    figures["starts"] = starts(args.starts, args.peers)
    for way, found in figures["starts"].items():
        print(f"{way:10} {found['median_s']:.2f} s ({found['least_s']:.2f}-{found['most_s']:.2f})")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
