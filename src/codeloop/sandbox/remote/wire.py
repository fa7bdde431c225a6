"""What crosses between a node and its client: a line of JSON for each program and each answer."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from codeloop.core.execution import ExecutionLimits, ExecutionResult
from codeloop.core.records import from_json, to_json
from codeloop.sandbox.pool import Program

PATH = "/v1/runs"
CONTENT_TYPE = "application/x-ndjson"
MAX_ID_CHARS = 128


@dataclass(frozen=True, slots=True)
class Order:
    """A program, and the name under which its result is asked for, once or again."""

    id: str
    program: Program


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node says of one order: its result, or why there is none."""

    id: str
    result: ExecutionResult | None = None
    broken: str = ""  # the node's sandbox failed; says nothing about the program
    refused: str = ""  # the order cannot be run: a file of it has no plain name
    returned: bool = False  # it was not begun, and should be run elsewhere


@dataclass(frozen=True, slots=True)
class _Form:
    """An order as it is written: bytes in base64."""

    id: str
    code: str
    language: str = "python"
    stdin: str = ""
    files: tuple[tuple[str, str], ...] = ()
    limits: ExecutionLimits = ExecutionLimits()


def encode_order(order: Order) -> bytes:
    """Return an order as a line of ASCII, with its end."""
    program = order.program
    files = tuple((name, _as_text(data)) for name, data in program.files)
    stdin = _as_text(program.stdin)
    return _line(_Form(order.id, program.code, program.language, stdin, files, program.limits))


def decode_order(line: bytes) -> Order:
    """Return the order that a line holds.

    Raises:
        ValueError: it holds none; the text says why.
    """
    form = from_json(_Form, _loads(line))
    if not 0 < len(form.id) <= MAX_ID_CHARS:
        msg = f"an id has 1 to {MAX_ID_CHARS} characters, not {len(form.id)}"
        raise ValueError(msg)
    files = tuple((name, as_bytes(data, name)) for name, data in form.files)
    stdin = as_bytes(form.stdin, "stdin")
    return Order(form.id, Program(form.code, form.language, stdin, files, form.limits))


def encode_answer(answer: Answer) -> bytes:
    """Return an answer as a line of ASCII, with its end."""
    return _line(answer)


def decode_answer(line: bytes) -> Answer:
    """Return the answer that a line holds.

    Raises:
        ValueError: it holds none; the text says why.
    """
    return from_json(Answer, _loads(line))


def as_bytes(text: str, name: str) -> bytes:
    """Return what a base64 text stands for; `name` is what to call it if it stands for nothing.

    Raises:
        ValueError: it is not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        msg = f"{name}: not base64: {error}"
        raise ValueError(msg) from error


def _as_text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _line(record: object) -> bytes:
    return json.dumps(to_json(record), separators=(",", ":")).encode("ascii") + b"\n"


def _loads(line: bytes) -> Any:
    try:
        return json.loads(line.decode())
    except RecursionError as error:
        msg = "nested too deep"
        raise ValueError(msg) from error
