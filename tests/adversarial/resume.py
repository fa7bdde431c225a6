"""A long proof: runs of `codeloop eval`, killed at random points, go on as if nothing had been.

`scripts/prove-resume --points 20` prints a line for each and one JSON object; the exit status is 1
if a report differs from that of an undisturbed run, or if more was done twice than was in flight.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from adversarial.hostile import alive, family

PROBLEMS = 12
SAMPLES = 2
IN_FLIGHT = 4
TURNS = 3
TIMEOUT_S = 300.0
LEAVE_S = 20.0  # for what the dead process had started
RIGHT, WRONG = "return abs(x)", "return x"
KINDS = (  # what the model says of a problem, turn by turn; the last again
    (RIGHT,),
    (WRONG, RIGHT),
    (WRONG, WRONG, RIGHT),
    ("return x if x > -9 else 0", WRONG, "return 3 if x == -3 else x"),
    ("I would rather not.", RIGHT),
    ("import os; os._exit(0)", "raise ValueError(x)", RIGHT),
)


@dataclass(frozen=True, slots=True)
class Point:
    """One run that was killed and went on."""

    calls: int  # of the model, before it was killed
    recorded: int  # dialogues on the disk by then
    redone: int  # dialogues that were begun twice
    same: bool  # the reports are those of the undisturbed run, to the byte
    once: bool  # there is one record of each dialogue
    left: int  # processes of the dead run

    @property
    def held(self) -> bool:
        return self.same and self.once and self.redone <= IN_FLIGHT and not self.left


class Endpoint(ThreadingHTTPServer):
    """A model that says what its problem's kind says; counts its calls and the dialogues begun."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.calls = 0
        self.begun: Counter[tuple[str, int]] = Counter()
        self.reached = threading.Event()  # so many calls
        self._until = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def forget(self, until: int) -> None:
        """Count anew; tell of the call of this number."""
        with self._lock:
            self.calls, self._until = 0, until
            self.begun.clear()
            self.reached.clear()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that was killed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def reply(self, request: dict[str, Any]) -> str:
        messages = request["messages"]
        name = messages[0]["content"].partition("Write ")[2].partition("(")[0]
        turn = sum(message["role"] == "assistant" for message in messages)
        with self._lock:
            self.calls += 1
            if turn == 0:
                self.begun[name, request["seed"]] += 1
            if self.calls == self._until:
                self.reached.set()
        bodies = KINDS[int(name.removeprefix("size")) % len(KINDS)]
        body = bodies[min(turn, len(bodies) - 1)]
        code = f"```python\ndef {name}(x):\n    {body}\n```"
        return body if body.startswith("I ") else code


class _Answer(BaseHTTPRequestHandler):
    """Streams a reply as an endpoint of OpenAI's format does."""

    protocol_version = "HTTP/1.1"
    server: Endpoint

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = self.server.reply(request)
        time.sleep(0.005)  # so that dialogues meet
        usage = {"prompt_tokens": 11 * len(request["messages"]), "completion_tokens": len(text)}
        rows: list[dict[str, Any]] = [
            {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]},
            {"choices": [], "usage": usage | {"total_tokens": sum(usage.values())}},
        ]
        events = [f"data: {json.dumps(row)}\n\n" for row in rows]
        body = "".join([*events, "data: [DONE]\n\n"]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is http.server's
        """Say nothing."""


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def prove(points: int, seed: int = 7) -> Iterator[Point]:
    """Kill so many runs, each at a point of its own, let them go on, and compare."""
    dice = random.Random(seed)
    with endpoint() as model, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.forget(0)
        _run(folder, "undisturbed", model)
        expected = _reports(folder / "undisturbed")
        calls = model.calls
        for at in range(points):
            model.forget(dice.randint(0, calls - 1))
            begun, left = _killed(folder, f"killed-{at}", model, dice)
            recorded = len(_records(folder / f"killed-{at}"))
            before = Counter(begun)
            asked = model.calls
            model.forget(0)
            _run(folder, f"killed-{at}", model)
            names = _records(folder / f"killed-{at}")
            yield Point(
                calls=asked,
                recorded=recorded,
                redone=len(before & model.begun),
                same=_reports(folder / f"killed-{at}") == expected,
                once=len(set(names)) == len(names) == PROBLEMS * SAMPLES,
                left=left,
            )


def _killed(
    folder: Path, name: str, model: Endpoint, dice: random.Random
) -> tuple[dict[tuple[str, int], int], int]:
    """Start a run and kill it; return the dialogues it had begun, and how many processes stay."""
    process = _start(folder, name, model)
    try:
        if model._until:
            assert model.reached.wait(TIMEOUT_S), "a run came to its end before its point"
            time.sleep(dice.random() * 0.1)
        else:  # before it asks for anything
            time.sleep(dice.random() * 0.5)
        started = family(process.pid)
    finally:
        process.kill()
        process.communicate()
    end = time.monotonic() + LEAVE_S
    while (left := alive(started)) and time.monotonic() < end:
        time.sleep(0.02)
    return dict(model.begun), len(left)


def _run(folder: Path, name: str, model: Endpoint) -> None:
    process = _start(folder, name, model)
    _, said = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, said


def _start(folder: Path, name: str, model: Endpoint) -> "subprocess.Popen[str]":
    path = folder / "problems.jsonl"
    if not path.exists():
        path.write_text("".join(f"{json.dumps(row)}\n" for row in problems()), encoding="utf-8")
    words = ["eval", str(path), "--model", "mock", "--base-url", model.url, "--seed", "1"]
    words += ["--feedback", "execution", "--turns", str(TURNS), "--samples", str(SAMPLES)]
    words += ["--temperature", "0.5", "--in-flight", str(IN_FLIGHT), "--workers", "2"]
    return subprocess.Popen(
        [sys.executable, "-m", "codeloop", *words, "--out", str(folder / name)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"CODELOOP_HOME": str(folder / "home"), "CODELOOP_API_KEY": "x"},
    )


def problems() -> list[dict[str, Any]]:
    return [
        {
            "task_id": f"size{at}",
            "prompt": f"Write size{at}(x): the absolute value.",
            "entry_point": f"size{at}",
            "visible_asserts": [f"assert size{at}(-3) == 3"],
            "inputs": [[-3], [5]],
            "hidden_inputs": [[-123456789], [7]],
            "reference": f"def size{at}(x): return abs(x)",
        }
        for at in range(PROBLEMS)
    ]


def _reports(folder: Path) -> dict[str, bytes]:
    """Return all that is written of a run for people to read."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("report.*"))}


def _records(folder: Path) -> list[tuple[str, int]]:
    """Return which dialogues have a whole record."""
    path = folder / "records.jsonl"
    if not path.exists():
        return []
    whole = path.read_bytes().rpartition(b"\n")[0].splitlines()
    return [(row["problem"], row["sample"]) for row in map(json.loads, whole)]


def main() -> int:
    parser = argparse.ArgumentParser(description="Prove that a killed evaluation goes on.")
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    seen = []
    for point in prove(args.points, args.seed):
        seen.append(point)
        print(point, flush=True)
    print(json.dumps([asdict(point) for point in seen]))
    print(f"{sum(point.held for point in seen)} of {len(seen)} held")
    return 0 if all(point.held for point in seen) else 1


if __name__ == "__main__":
    sys.exit(main())
