"""A session whose cells a Jupyter kernel runs: it lives in the jail, and so does who speaks to it.

To the host this guest is one like our own kernel: the same requests, the same answers, as bounded
and as little trusted. What a Jupyter kernel says never leaves the jail as it is.
"""

# ruff: noqa: PTH102, PTH123  (pathlib is slow to import)

import hmac
import json
import math
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from select import POLLIN, poll
from typing import Any, Never

from codeloop.sandbox.jail import displays, root, wire

_CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
_DELIMITER = b"<IDS|MSG>"
_LOOK_MS = 20
_READY_AGAIN_S = 0.2
_LISTENS_AFTER_S = 0.05  # of a cell's begin: before, ipykernel may lose the cell with an interrupt
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_END_OF_INPUT = "\x04"
_MESSAGE_CHARS = 4096
_KIB = 1024


def prepare(request: wire.Message, link: int) -> Callable[[], object]:
    """Return the program that starts a kernel and has it run cells."""
    interrupts = _Interrupts()
    signal.signal(signal.SIGINT, interrupts.note)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return partial(_serve, request, link, interrupts)


class _Interrupts:
    """An interrupt that came, until the kernel is where it listens to it."""

    def __init__(self) -> None:
        self.held = False

    def note(self, _number: int, _frame: object) -> None:
        self.held = True

    def take(self) -> bool:
        held, self.held = self.held, False
        return held


def _serve(request: wire.Message, link: int, interrupts: _Interrupts) -> Never:
    kernel = _Kernel(request)
    asks = bool(request["interactive"])
    while True:
        try:
            wanted = wire.read_frame(link)
            if "seq" not in wanted:  # a line of input that came too late
                continue
            answer: wire.Message = {}
            if "names" in wanted:  # it has no way to be asked
                answer = {"variables": []}
            elif wanted["code"]:
                answer = _Cell(kernel, link, interrupts, asks=asks).run(wanted["code"])
            else:  # an interrupt that a cell was too quick for ends here
                interrupts.take()
            wire.write_frame(link, {"seq": wanted["seq"], **answer})
        except (EOFError, OSError):
            os._exit(0)


class _Kernel:
    """A kernel's process, and the sockets to it: files in the jail's own /tmp."""

    def __init__(self, request: wire.Message) -> None:
        zmq: Any = import_module("zmq")  # one of the guest's packages, and none of ours

        folder = f"{os.environ['TMPDIR']}/.jupyter-{os.getpid()}"
        os.mkdir(folder, 0o700)
        self._ready = False
        self._key = os.urandom(32).hex()
        self._by_message = bool(request["by_message"])
        file = f"{folder}/kernel.json"
        places = {f"{name}_port": at for at, name in enumerate(_CHANNELS, 1)}
        connection = {"transport": "ipc", "ip": f"{folder}/k", "key": self._key, **places}
        with open(file, "w", encoding="utf-8") as text:
            json.dump({**connection, "signature_scheme": "hmac-sha256"}, text)
        kinds = {"iopub": zmq.SUB}
        context = zmq.Context()
        self._sockets: dict[str, Any] = {}
        for at, name in enumerate(_CHANNELS[:-1], 1):
            socket = self._sockets[name] = context.socket(kinds.get(name, zmq.DEALER))
            socket.setsockopt(zmq.RECONNECT_IVL, 10)
            socket.setsockopt(zmq.RCVHWM, 0)
            socket.setsockopt(zmq.IDENTITY, b"codeloop")  # asked on `stdin` is who asked on `shell`
            if name == "iopub":
                socket.setsockopt(zmq.SUBSCRIBE, b"")
            socket.connect(f"ipc://{connection['ip']}-{at}")
        self._poller = zmq.Poller()
        for name in _CHANNELS[:3]:
            self._poller.register(self._sockets[name], zmq.POLLIN)
        self._log = f"{folder}/log"
        words = [root.here(word).replace("{connection_file}", file) for word in request["argv"]]
        own = {"JPY_PARENT_PID": str(os.getpid()), "IPYTHONDIR": f"{folder}/ipython"}
        environment = {**os.environ, **own, **request["environment"]}
        with open(self._log, "wb") as log:  # what it says of itself is not a cell's output
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        self._await_ready()

    def send(self, channel: str, kind: str, content: wire.Message) -> str:
        """Send a message; return its id."""
        name = os.urandom(16).hex()
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
        header = {"msg_id": name, "msg_type": kind, "username": "guest", "session": "codeloop"}
        parts = [
            json.dumps(part).encode()
            for part in ({**header, "date": now, "version": "5.3"}, {}, {}, content)
        ]
        self._sockets[channel].send_multipart([_DELIMITER, self._sign(parts), *parts])
        return name

    def receive(self) -> list[tuple[str, str, str, Any]]:
        """Wait a moment; return what came: channel, kind, id of what it answers, content."""
        came = []
        for socket, _ in self._poller.poll(_LOOK_MS):
            (channel,) = (name for name, each in self._sockets.items() if each is socket)
            frames = socket.recv_multipart()
            begin = frames.index(_DELIMITER)
            signature, *parts = frames[begin + 1 : begin + 6]
            if not hmac.compare_digest(signature, self._sign(parts)):
                continue
            header, parent, _, content = map(json.loads, parts)
            came.append((channel, header["msg_type"], parent.get("msg_id", ""), content))
        if not came and self._process.poll() is not None:
            self._follow()
        return came

    def interrupt(self) -> None:
        if self._by_message:
            self.send("control", "interrupt_request", {})
        else:
            self._process.send_signal(signal.SIGINT)

    def cpu_s(self) -> float:
        """Return the processor time that its process has taken."""
        clock = (~self._process.pid << 3) | 2  # as clock_getcpuclockid(3) makes it
        try:
            return time.clock_gettime(clock)
        except OSError:
            return 0.0

    def memory_bytes(self) -> int:
        """Return the most memory that its process has had."""
        try:
            with open(
                f"/proc/{self._process.pid}/status", encoding="ascii", errors="replace"
            ) as file:
                found = re.search(r"VmHWM:\s+(\d+) kB", file.read())
        except OSError:
            return 0
        return int(found[1]) * _KIB if found else 0

    def _await_ready(self) -> None:
        """Return when it answers, and what it publishes reaches us; say why if it never does."""
        seen: set[str] = set()
        asked = 0.0
        while not {"shell", "iopub"} <= seen:
            if time.monotonic() - asked > _READY_AGAIN_S:
                self.send("shell", "kernel_info_request", {})
                asked = time.monotonic()
            seen |= {channel for channel, *_ in self.receive()}
        self._ready = True

    def _sign(self, parts: list[bytes]) -> bytes:
        return hmac.new(self._key.encode(), b"".join(parts), "sha256").hexdigest().encode()

    def _follow(self) -> Never:
        """End as the kernel has ended."""
        if not self._ready:
            with open(self._log, encoding="utf-8", errors="replace") as log:
                _write(2, log.read()[-_MESSAGE_CHARS:])
        code = self._process.returncode
        if code < 0:
            if -code != signal.SIGKILL:
                signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        os._exit(code or 0)


class _Cell:
    """One cell, while a kernel runs it."""

    def __init__(self, kernel: _Kernel, link: int, interrupts: _Interrupts, *, asks: bool) -> None:
        self._kernel = kernel
        self._link = link
        self._interrupts = interrupts
        self._asks = asks
        self._listens_from = math.inf  # to interrupts
        self._left = {"reply", "idle"}  # what has still to come
        self._shown: list[displays.Parts] = []
        self._named: dict[str, int] = {}  # where what has a display id is shown
        self._error: wire.Message | None = None

    def run(self, code: str) -> wire.Message:
        """Have the code run; return the answer to the host."""
        before = self._kernel.cpu_s()
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": self._asks,
            "stop_on_error": False,  # of those that wait, and there are none
        }
        name = self._kernel.send("shell", "execute_request", content)
        while self._left:
            for channel, kind, parent, said in self._kernel.receive():
                if parent == name:
                    self._take(channel, kind, said)
            if time.monotonic() >= self._listens_from and self._interrupts.take():
                self._kernel.interrupt()
        answer: wire.Message = {"displays": displays.fitting(self._shown)} if self._shown else {}
        if self._error is not None:
            answer["error"] = self._error
        used = self._kernel.cpu_s() - before
        return {**answer, "cpu_s": used, "memory_bytes": self._kernel.memory_bytes()}

    def _take(self, channel: str, kind: str, said: Any) -> None:
        match kind:
            case "execute_input":
                self._listens_from = time.monotonic() + _LISTENS_AFTER_S
            case "stream":
                _write(2 if said.get("name") == "stderr" else 1, str(said.get("text", "")))
            case "execute_result" | "display_data" | "update_display_data":
                self._show(said, again=kind.startswith("update"))
            case "error":
                self._fail(said)
            case "input_request":
                self._ask(str(said.get("prompt", ""))[:_MESSAGE_CHARS])
            case "status" if said.get("execution_state") == "idle":
                self._left.discard("idle")
            case "execute_reply" if channel == "shell":
                self._left.discard("reply")
                if said.get("status") != "ok" and self._error is None:
                    self._fail(said)
            case _:
                pass

    def _show(self, said: Any, *, again: bool) -> None:
        parts = displays.of_bundle(said.get("data"))
        name = str((said.get("transient") or {}).get("display_id", ""))
        if again:
            if name in self._named:
                self._shown[self._named[name]] = parts
            return
        if name:
            self._named[name] = len(self._shown)
        self._shown.append(parts)

    def _fail(self, said: Any) -> None:
        name, message = str(said.get("ename", "Error")), str(said.get("evalue", ""))
        kinds = {"KeyboardInterrupt": "interrupt", "MemoryError": "memory"}
        self._error = {
            "name": name[:_MESSAGE_CHARS],
            "message": message[:_MESSAGE_CHARS],
            "line": None,
            "kind": kinds.get(name, "exception"),
        }
        trace = "\n".join(map(str, said.get("traceback") or [f"{name}: {message}"]))
        _write(2, _ESCAPES.sub("", trace).rstrip("\n") + "\n")

    def _ask(self, prompt: str) -> None:
        """Have a person type a line for the kernel, unless an interrupt comes before it."""
        wire.write_frame(self._link, {"seq": 0, "input": prompt})
        events = poll()
        events.register(self._link, POLLIN)
        while not events.poll(_LOOK_MS):
            if self._interrupts.take():
                self._kernel.interrupt()
                return
        line = wire.read_frame(self._link).get("line")
        value = _END_OF_INPUT if line is None else str(line)
        self._kernel.send("stdin", "input_reply", {"value": value})


def _write(descriptor: int, text: str) -> None:
    data = text.encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(descriptor, data) :]
