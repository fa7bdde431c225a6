"""What the MCP SDK's client makes of our tools, over standard streams and over HTTP."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from page_server import StartPage

pytestmark = [
    pytest.mark.skipif(
        "CODELOOP_PEERS" not in os.environ, reason="scripts/test-peers sets CODELOOP_PEERS"
    ),
    pytest.mark.timeout(150),
    pytest.mark.jail,
]

SCRIPT = """
import anyio, json, os, sys
import httpx2
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

def transport():
    if "BASE" not in os.environ:
        python, source = sys.argv[1:]
        environment = {**os.environ, "PYTHONPATH": source}
        return stdio_client(StdioServerParameters(
            command=python, args=["-m", "codeloop", "mcp"], env=environment))
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}
    client = httpx2.AsyncClient(headers=headers, timeout=60)
    return streamable_http_client(os.environ["BASE"], http_client=client)

async def main():
    async with Client(transport()) as client:
        told = {"tools": [each.name for each in (await client.list_tools()).tools]}
        async def call(name, **given):
            done = await client.call_tool(name, given)
            text = "".join(getattr(part, "text", "") for part in done.content)
            return [done.is_error, text]
        told["write"] = await call("write_file", path="in.txt", content="six")
        told["first"] = await call("run_code", code="x = open('in.txt').read(); print(x)")
        told["second"] = await call("run_code", code="x * 2")
        told["failed"] = (await call("run_code", code="1 / 0"))[0]
        told["files"] = (await call("list_files"))[1]
        told["read"] = await call("read_file", path="in.txt")
        told["none"] = (await call("read_file", path="none"))[0]
        told["status"] = (await call("status"))[1]
        told["reset"] = (await call("reset"))[0]
        told["gone"] = "NameError" in (await call("run_code", code="x"))[1]
        told["kept"] = (await call("read_file", path="in.txt"))[1]
        told["wrong"] = await call("run_code", cod="x")
        with anyio.move_on_after(1.5):
            await client.call_tool("run_code", {"code": "while True: pass"})
        told["after"] = (await call("run_code", code="print('here')"))[1]
    print(json.dumps(told))


anyio.run(main)
"""


def holds(told: dict[str, Any]) -> None:
    names = ["run_code", "reset", "list_files", "read_file", "write_file", "status"]
    assert told["tools"] == names
    assert told["write"] == [False, "in.txt: 3 bytes"]
    assert told["first"][0] is False
    assert "six" in told["first"][1]
    assert "'sixsix'" in told["second"][1]
    assert told["failed"] is True
    assert "in.txt  3 bytes" in told["files"]
    assert told["read"] == [False, "six"]
    assert told["none"] is True
    assert "isolation: namespaces" in told["status"]
    assert (told["reset"], told["gone"], told["kept"]) == (False, True, "six")
    assert told["wrong"] == [True, "code is missing"]
    assert "here" in told["after"]


def test_a_client_over_standard_streams_runs_code_and_moves_files(peer: Any) -> None:
    source = Path(__file__).parents[2] / "src"
    holds(json.loads(peer("-c", SCRIPT, sys.executable, source).splitlines()[-1]))


def test_a_client_over_http_runs_code_and_moves_files(start: StartPage, peer: Any) -> None:
    server = start()
    base = f"http://127.0.0.1:{server.port}/mcp"
    holds(json.loads(peer("-c", SCRIPT, BASE=base, TOKEN=server.token).splitlines()[-1]))
