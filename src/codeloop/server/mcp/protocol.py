"""The messages of the protocol: JSON-RPC 2.0, by revisions 2024-11-05 to 2025-11-25 of MCP."""

import json
from importlib import metadata
from typing import Any

from codeloop.server.mcp.tools import TOOLS, Interpreter, call

Json = dict[str, Any]

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS = -32700, -32600, -32601, -32602
_ABOUT = (
    "A code interpreter in a jail. Call run_code to compute, analyse files and draw plots; "
    "write_file and read_file move files in and out."
)


def parse(data: bytes | str) -> Json:
    """Return the message that a text holds.

    Raises:
        ValueError: it is no message of JSON-RPC 2.0.
    """
    try:
        message = json.loads(data)
        # what cannot be sent back is not taken: a lone surrogate, a number without end
        json.dumps(message, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError as error:
        msg = "nested too deep"
        raise ValueError(msg) from error
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        msg = "not a message of JSON-RPC 2.0"
        raise ValueError(msg)
    return message


def is_request(message: Json) -> bool:
    """Return whether a message wants an answer: it is neither a notification nor an answer."""
    return isinstance(message.get("method"), str) and "id" in message


def cancelled(message: Json) -> object:
    """Return the id of the request that a message cancels; None if it cancels none."""
    if message.get("method") != "notifications/cancelled":
        return None
    return _params(message).get("requestId")


def answer(message: Json, interpreter: Interpreter | None) -> Json:
    """Return the answer to a request; only tools need the interpreter."""
    name, params = message["id"], _params(message)
    match message["method"]:
        case "initialize":
            wanted = params.get("protocolVersion")
            version = wanted if wanted in VERSIONS else VERSIONS[0]
            info = {"name": "codeloop", "version": metadata.version("codeloop")}
            told = {"protocolVersion": version, "serverInfo": info, "instructions": _ABOUT}
            return _result(name, {**told, "capabilities": {"tools": {"listChanged": False}}})
        case "ping":
            return _result(name, {})
        case "tools/list":
            return _result(name, {"tools": [tool.told() for tool in TOOLS]})
        case "tools/call" if interpreter is not None:
            return _called(name, params, interpreter)
        case method:
            return refused(name, NO_METHOD, f"no method {method[:80]!r}")


def _called(name: object, params: Json, interpreter: Interpreter) -> Json:
    tool, given = params.get("name"), params.get("arguments") or {}
    if not isinstance(tool, str) or not isinstance(given, dict):
        return refused(name, INVALID_PARAMS, "a tool has a name and arguments")
    done = call(interpreter, tool, given)
    if done is None:
        return refused(name, INVALID_PARAMS, f"no tool {tool[:80]!r}")
    return _result(name, done)


def refused(name: object, code: int, text: str) -> Json:
    """Return the answer to a request that cannot be served."""
    return {"jsonrpc": "2.0", "id": name, "error": {"code": code, "message": text}}


def _result(name: object, result: Json) -> Json:
    return {"jsonrpc": "2.0", "id": name, "result": result}


def _params(message: Json) -> Json:
    params = message.get("params")
    return params if isinstance(params, dict) else {}
