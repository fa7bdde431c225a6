"""The server's own API as an OpenAPI document, made from one table."""

from collections.abc import Mapping
from importlib import metadata
from types import MappingProxyType
from typing import Any

Schema = Mapping[str, Any]

_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_TEXTS: Schema = {"type": "array", "items": _TEXT, "maxItems": 64}
_NAME: Schema = {"type": "string", "maxLength": 200}
_JSON = "application/json"
_BYTES = "application/octet-stream"
_ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": _TEXT, "message": _TEXT},
        }
    },
}
_REFUSALS = ("400", "401", "403", "404", "405", "409", "413", "415", "421", "429", "503")
_KNOWN = MappingProxyType(
    {
        "chat": "an id of a chat of the user",
        "cell": "a cell of the chat, as c1",
        "turn": "a turn of the chat, as t1",
        "name": "the path of a file in the work directory",
        "hash": "a SHA-256 in hexadecimal",
        "compare": "an id of a comparison of the user",
    }
)


def _object(required: Mapping[str, Schema] = {}, **optional: Schema) -> Schema:
    """Return the schema of an object; more than is named may be in it."""
    schema: dict[str, Any] = {"type": "object", "properties": {**required, **optional}}
    if required:
        schema["required"] = sorted(required)
    return schema


def _integer(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(name: str) -> Schema:
    return _object({name: {"type": "array", "items": {"type": "object"}}})


_SETTINGS: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "turns": _integer(1, 20),
        "mode": {"type": "string", "enum": ["ask", "auto", "confirm"]},
        "folder": {"type": "string", "maxLength": 60, "pattern": "^[ -~]*$"},
    },
}
_CHAT = _object(
    {"id": _TEXT, "title": _TEXT, "model": _TEXT, "settings": _SETTINGS, "busy": _FLAG},
    created_at={"type": "number"},
    changed_at={"type": "number"},
    last_seq={"type": "integer"},
)
_CHANGE = _object(title=_NAME, model=_NAME, settings=_SETTINGS)
_COMPARE = _object(
    {"compare": _TEXT, "text": _TEXT, "blind": _FLAG, "chats": {"type": "array", "items": _CHAT}},
    models=_nullable(_TEXTS),
    tests=_nullable(_TEXT),
    passed={"type": "array", "items": _nullable(_FLAG)},
)
_RATING = _object(
    {"target": _NAME},
    thumb={"enum": ["up", "down", None]},
    reasons={"type": "array", "items": _TEXT, "maxItems": 16},
    comment={"type": "string", "maxLength": 20000},
    preferred=_nullable({"type": "string", "maxLength": 200000}),
)
_ONE = "/api/chats/{chat}"
_EMPTY = _object()

# (method and path): (what it does, status, what is answered, what is asked, what the query may say)
_Row = tuple[str, int, Schema | str | None, Schema | str | None, Mapping[str, Schema]]
_ROWS: Mapping[str, _Row] = {
    "GET /healthz": ("Whether the server is up.", 200, _object({"status": _TEXT}), None, {}),
    "GET /readyz": ("Whether it answers.", 200, _object({"status": _TEXT}), None, {}),
    "GET /metrics": ("Gauges for a monitor.", 200, "text/plain", None, {}),
    "GET /api/state": ("What the server is.", 200, _object({"models": _TEXTS}), None, {}),
    "GET /api/models": ("Models to choose from.", 200, _list("models"), None, {}),
    "GET /api/openapi.json": ("This document.", 200, _object({"openapi": _TEXT}), None, {}),
    "GET /api/usage": ("Tokens and seconds.", 200, _list("models"), None, {"chat": _TEXT}),
    "POST /api/chats": ("Make a chat.", 201, _CHAT, _CHANGE, {}),
    "GET /api/chats": (
        *("Chats, the last changed first.", 200, _list("chats"), None),
        {"q": _TEXT, "limit": _integer(1, 500), "before": {"type": "number"}},
    ),
    f"GET {_ONE}": ("A chat.", 200, _CHAT, None, {}),
    f"PATCH {_ONE}": ("Change a chat.", 200, _CHAT, _CHANGE, {}),
    f"DELETE {_ONE}": ("Delete a chat with all that is its.", 204, None, None, {}),
    f"GET {_ONE}/events": (
        *("What happened: a stream, or a list.", 200, _list("events"), None),
        {"after": _integer(0, 10**15 - 1), "wait": {"type": "string", "enum": ["0"]}},
    ),
    f"GET {_ONE}/turns/{{turn}}/prompt": (
        *("What a model was told before it replied.", 200, _list("messages"), None, {}),
    ),
    f"POST {_ONE}/messages": (
        *("Say something; the loop answers.", 202, _object({"message": _TEXT})),
        _object({"text": _TEXT}, files=_TEXTS, mode=_SETTINGS["properties"]["mode"]),
        {},
    ),
    f"POST {_ONE}/continue": (
        *("Let the loop go on.", 202, _EMPTY, _object(turns=_integer(1, 20)), {}),
    ),
    f"POST {_ONE}/hint": ("Give feedback.", 202, _EMPTY, _object({"text": _TEXT}), {}),
    f"POST {_ONE}/stop": ("Stop.", 200, _object({"stopped": _FLAG}), _EMPTY, {}),
    f"POST {_ONE}/interrupt": ("Interrupt.", 200, _object({"interrupted": _FLAG}), _EMPTY, {}),
    f"POST {_ONE}/input": (
        *("Answer code that asks.", 200, _EMPTY, _object({"line": _nullable(_TEXT)}), {}),
    ),
    f"POST {_ONE}/sandbox": (
        *("Begin anew, or replay.", 202, _EMPTY),
        _object({"do": {"type": "string", "enum": ["restart", "replay"]}}),
        {},
    ),
    f"POST {_ONE}/cells": (
        *("Run a cell of one's own.", 202, _object({"cell": _TEXT})),
        _object({"code": _TEXT}, language={"type": "string", "maxLength": 64}),
        {},
    ),
    f"POST {_ONE}/cells/{{cell}}/run": (
        *("Run a cell again.", 202, _object({"cell": _TEXT}), _object(code=_TEXT), {}),
    ),
    f"POST {_ONE}/cells/{{cell}}/fix": (
        *("Let the model mend a cell.", 202, _object({"message": _TEXT}), _object(note=_TEXT), {}),
    ),
    f"POST {_ONE}/cells/{{cell}}/allow": (
        *("Let a cell run, or not.", 200, _EMPTY, _object(run=_FLAG), {}),
    ),
    f"GET {_ONE}/variables": ("Names in the session.", 200, _list("variables"), None, {}),
    f"GET {_ONE}/files": ("The work directory.", 200, _list("files"), None, {}),
    f"PUT {_ONE}/files/{{name}}": (
        *(
            "Upload a file.",
            201,
            _object({"name": _TEXT, "bytes": {"type": "integer"}}),
            _BYTES,
            {},
        ),
    ),
    f"GET {_ONE}/files/{{name}}": ("Fetch a file.", 200, _BYTES, None, {}),
    f"DELETE {_ONE}/files/{{name}}": ("Remove a file.", 204, None, None, {}),
    f"POST {_ONE}/ratings": ("Rate a turn or a cell.", 200, _RATING, _RATING, {}),
    f"POST {_ONE}/branch": (
        *("Branch a chat.", 201, _CHAT, _object(seq={"type": "integer", "minimum": 0}), {}),
    ),
    f"GET {_ONE}/export": (
        *("A chat as a file.", 200, "*/*", None),
        {
            "format": {
                "type": "string",
                "enum": ["ipynb", "py", "md", "html", "zip", "jsonl", "code-feedback"],
            },
            "redact": {"type": "string", "enum": ["1"]},
        },
    ),
    "POST /api/import": ("Files as chats.", 201, _list("chats"), _BYTES, {"name": _TEXT}),
    "GET /api/blobs/{chat}/{hash}": ("A part of a display.", 200, "*/*", None, {}),
    "POST /api/compares": (
        *("Ask several models.", 201, _COMPARE),
        _object(
            {
                "text": _TEXT,
                "models": {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 4},
            },
            blind=_FLAG,
            chat=_NAME,
            tests=_TEXT,
        ),
        {},
    ),
    "GET /api/compares": ("Comparisons.", 200, _list("compares"), None, {}),
    "GET /api/compares/{compare}": ("A comparison.", 200, _COMPARE, None, {}),
    "POST /api/compares/{compare}/tests": ("Run the tests.", 202, _COMPARE, _EMPTY, {}),
    "POST /api/compares/{compare}/vote": (
        *("Say which is best.", 200, _COMPARE),
        _object({"winner": {"anyOf": [_integer(0, 3), {"enum": ["tie", "none"]}]}}),
        {},
    ),
    "GET /api/ranks": ("Models by votes.", 200, _list("models"), None, {}),
    "GET /api/data": ("Rated chats.", 200, _list("rows"), None, {"q": _TEXT, "model": _TEXT}),
    "GET /api/data/export": (
        *("Rated chats as training data.", 200, "*/*", None),
        {
            "format": {
                "type": "string",
                "enum": ["code-feedback", "messages", "preference", "kto"],
            },
            "consent": {"type": "string", "enum": ["1"]},
            "card": {"type": "string", "enum": ["1"]},
        },
    ),
}


def openapi() -> dict[str, Any]:
    """Return the document."""
    paths: dict[str, dict[str, Any]] = {}
    for place, row in _ROWS.items():
        method, path = place.split(" ")
        paths.setdefault(path, {})[method.lower()] = _operation(path, row)
    return {
        "openapi": "3.1.0",
        "info": {"title": "codeloop", "version": metadata.version("codeloop")},
        "paths": paths,
        "security": [{"token": []}],
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(path: str, row: _Row) -> dict[str, Any]:
    summary, status, answered, asked, query = row
    open_to_all = path in {"/healthz", "/readyz"}
    refusal = {"description": "refused", "content": {_JSON: {"schema": _ERROR}}}
    responses: dict[str, Any] = {str(status): {"description": summary, **_content(path, answered)}}
    responses |= dict.fromkeys(_REFUSALS, refusal)
    operation: dict[str, Any] = {"summary": summary, "responses": responses}
    places = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    operation["parameters"] = [
        *(
            {"name": name, "in": "path", "required": True, "schema": {**_TEXT, "minLength": 1}}
            | {"description": _KNOWN[name]}
            for name in places
        ),
        *({"name": name, "in": "query", "schema": schema} for name, schema in query.items()),
    ]
    if asked is not None:
        operation["requestBody"] = {
            "required": not isinstance(asked, str) and "required" in asked,
            **_content("", asked),
        }
    if open_to_all:
        operation["security"] = []
    return operation


def _content(path: str, schema: Schema | str | None) -> dict[str, Any]:
    """Return the content of a body: JSON by its schema, or bytes of a type."""
    if schema is None:
        return {}
    if isinstance(schema, str):
        return {"content": {schema: {"schema": {}}}}
    content: dict[str, Any] = {_JSON: {"schema": schema}}
    if path.endswith("/events"):
        content["text/event-stream"] = {"schema": {}}
    return {"content": content}
