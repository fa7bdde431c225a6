"""A node in a process of its own, as a user starts it."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import urllib3


@dataclass(frozen=True, slots=True)
class NodeProcess:
    """A node, and where it answers."""

    process: "subprocess.Popen[str]"
    url: str

    def family(self) -> set[int]:
        """Return the process and all that descend from it."""
        parents = {int(path.name): _parent(path) for path in Path("/proc").glob("[0-9]*")}
        found = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return found

    def post(self, path: str, body: bytes, **headers: str) -> urllib3.BaseHTTPResponse:
        kind = {"Content-Type": "application/json"}
        return urllib3.request("POST", self.url + path, body=body, headers=kind | headers)


StartNode = Callable[..., NodeProcess]


def start_process(*options: str) -> NodeProcess:
    command = [sys.executable, "-m", "codeloop", "sandbox", "serve", "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return NodeProcess(process, process.stdout.readline().split()[-1])


def _parent(path: Path) -> int:
    try:
        return int((path / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return 0
