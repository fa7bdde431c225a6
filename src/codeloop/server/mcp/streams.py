"""The protocol over standard streams: a message a line; a call runs while others are read."""

import json
import queue
import tempfile
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from codeloop.core.execution import (
    ExecutionLimits,
    ExecutionResult,
    InputRequested,
    Isolation,
    Status,
    WorkFile,
)
from codeloop.sandbox import SandboxSession
from codeloop.server.mcp.protocol import (
    PARSE_ERROR,
    Json,
    answer,
    cancelled,
    is_request,
    parse,
    refused,
)
from codeloop.server.mcp.tools import Interpreter
from codeloop.server.pressing import press


class SessionInterpreter:
    """A session of this process, for a client of its own; fulfils `tools.Interpreter`."""

    def __init__(
        self, session: SandboxSession, limits: ExecutionLimits, isolation: Isolation
    ) -> None:
        self._session = session
        self._limits = limits
        self._isolation = isolation

    @property
    def languages(self) -> frozenset[str]:
        return self._session.languages

    def run(self, code: str, language: str) -> ExecutionResult:
        with closing(self._session.run(code, language=language)) as events:
            for event in events:
                match event:
                    case ExecutionResult():
                        return event
                    case InputRequested():
                        self._session.send_input(None)  # nobody is there to answer
                    case _:
                        pass
        return ExecutionResult(Status.INTERRUPTED)

    def reset(self) -> None:
        self._session.restart()

    def list_files(self) -> Sequence[WorkFile]:
        return self._session.list_files()

    def read(self, path: str) -> bytes:
        return self._session.get_file(path)

    def write(self, path: str, data: bytes) -> None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            self._session.put_file(Path(file.name), path)

    def status(self) -> dict[str, Any]:
        return status_of(self.languages, self._limits, self._isolation)

    def interrupt(self) -> None:
        self._session.interrupt()


def status_of(
    languages: frozenset[str], limits: ExecutionLimits, isolation: Isolation
) -> dict[str, Any]:
    """Return what a client is told of where its code runs."""
    return {
        "isolation": isolation.value,
        "network": "none" if isolation is Isolation.NAMESPACES else "as the isolation says",
        "languages": sorted(languages),
        "cpu_s": limits.cpu_s,
        "wall_s": limits.wall_s,
        "memory_bytes": limits.memory_bytes,
    }


def serve(interpreter: Interpreter, lines: Iterable[bytes], out: IO[bytes]) -> None:
    """Answer the messages of `lines`, until there are no more and the last call is answered.

    Calls of tools run one after the other on a thread of their own: so a client may cancel one.
    """
    calls = _Calls(interpreter, out)
    for line in lines:
        if not line.strip():
            continue
        try:
            message = parse(line)
        except ValueError as error:
            calls.write(refused(None, PARSE_ERROR, str(error)))
            continue
        stopped = cancelled(message)
        if stopped is not None:
            calls.cancel(stopped)
        elif is_request(message) and message["method"] == "tools/call":
            calls.put(message)
        elif is_request(message):
            calls.write(answer(message, None))
    calls.close()


class _Calls:
    """Runs calls of tools in their order, and writes what is answered."""

    def __init__(self, interpreter: Interpreter, out: IO[bytes]) -> None:
        self._interpreter = interpreter
        self._out = out
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[Json | None] = queue.SimpleQueue()
        self._cancelled: set[str] = set()
        self._current = ""
        self._worker = threading.Thread(target=self._work, name="mcp-calls", daemon=True)
        self._worker.start()

    def put(self, message: Json) -> None:
        self._waiting.put(message)

    def cancel(self, name: object) -> None:
        """Interrupt a call; one that waits never begins."""
        self._cancelled.add(repr(name))
        press(self._interpreter.interrupt, lambda: self._current != repr(name))

    def write(self, message: Json) -> None:
        line = json.dumps(message).encode() + b"\n"
        with self._lock:
            self._out.write(line)
            self._out.flush()

    def close(self) -> None:
        """Wait until all that was put is answered."""
        self._waiting.put(None)
        self._worker.join()

    def _work(self) -> None:
        while (message := self._waiting.get()) is not None:
            self._current = repr(message["id"])
            if self._current not in self._cancelled:
                answered = answer(message, self._interpreter)
                if self._current not in self._cancelled:  # nobody waits for it then
                    self.write(answered)
            self._current = ""
