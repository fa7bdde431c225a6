"""Messages between host and jail: JSON in packets with descriptors, or in frames on a stream.

The encoder and the decoder are the C halves of `json`, so that a guest that takes the Python
halves apart does not take its own kernel's voice away.
"""

import builtins
import json.encoder
import struct
from _socket import CMSG_SPACE, MSG_CMSG_CLOEXEC, SCM_RIGHTS, SOL_SOCKET, socket
from collections.abc import Callable, Sequence
from os import read, write
from typing import Any

Message = dict[str, Any]

PACKET_BYTES = 64 * 1024
FRAME_BYTES = 8 * 1024 * 1024  # the longest answer of a guest that the host will read
HEADER = struct.Struct("=I")

_MAX_DESCRIPTORS = 8

# A guest may replace what is in the real one, and what it says has to come through all the same.
__builtins__ = dict(vars(builtins))  # type: ignore[assignment]

_SCAN: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_QUOTE: Callable[[str], str] = json.encoder.encode_basestring_ascii
_ENCODE: Callable[[Message, int], tuple[str, ...]] = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, None, _QUOTE, None, ":", ",", False, False, True
)


def encode(message: Message) -> bytes:
    """Return a message as JSON text in ASCII."""
    return "".join(_ENCODE(message, 0)).encode()


def encoded_size(text: str) -> int:
    """Return how many bytes a text takes in a message."""
    return len(_QUOTE(text))


def decode(data: bytes) -> Message:
    """Return the message of a JSON text.

    Raises:
        ValueError: it is not one JSON object.
    """
    text = data.decode("ascii")
    try:
        message, end = _SCAN(text, 0)
    except (StopIteration, RecursionError) as error:
        raise ValueError(text[:80]) from error
    if end != len(text) or type(message) is not dict:
        raise ValueError(text[:80])
    return message


def send(link: socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Send one packet, with copies of open descriptors."""
    rights = struct.pack(f"{len(descriptors)}i", *descriptors)
    ancillary = [(SOL_SOCKET, SCM_RIGHTS, rights)] if descriptors else []
    link.sendmsg([encode(message)], ancillary)


def receive(link: socket) -> tuple[Message, list[int]]:
    """Return the next packet and the descriptors that came with it.

    Raises:
        EOFError: the other side has gone.
    """
    space = CMSG_SPACE(4 * _MAX_DESCRIPTORS)
    data, ancillary, _, _ = link.recvmsg(PACKET_BYTES, space, MSG_CMSG_CLOEXEC)
    if not data:
        raise EOFError
    descriptors: list[int] = []
    for _, _, rights in ancillary:
        whole = len(rights) - len(rights) % 4
        descriptors += struct.unpack(f"{whole // 4}i", rights[:whole])
    return decode(data), descriptors


def frame(message: Message) -> bytes:
    """Return a message as a frame: its length, then its text."""
    body = encode(message)
    return HEADER.pack(len(body)) + body


def write_frame(descriptor: int, message: Message) -> None:
    """Write a frame to a blocking stream."""
    rest = memoryview(frame(message))
    while rest:
        rest = rest[write(descriptor, rest) :]


def read_frame(descriptor: int) -> Message:
    """Return the next message of a blocking stream.

    Raises:
        EOFError: the other side has gone.
    """
    (size,) = HEADER.unpack(_read_exactly(descriptor, HEADER.size))
    return decode(_read_exactly(descriptor, size))


def _read_exactly(descriptor: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = read(descriptor, size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data
