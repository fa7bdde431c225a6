"""What nodes and the page's server alike look at in a request: its host, its token, its body."""

import base64
import binascii
import hashlib

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


async def read_body(request: Request, most_bytes: int) -> bytes:
    """Return the body of a request.

    Raises:
        HTTPException: it is larger than `most_bytes`, or did not come whole.
    """
    length = request.headers.get("content-length", "0")
    parts: list[bytes] = []
    room = most_bytes - (int(length) if length.isdecimal() else 0)
    if room >= 0:
        room = most_bytes
        try:
            async for part in request.stream():
                parts.append(part)
                room -= len(part)
                if room < 0:
                    break
        except ClientDisconnect as error:
            raise HTTPException(400, "the request did not come whole") from error
    if room < 0:
        raise HTTPException(413, f"a request may have {most_bytes} bytes")
    return b"".join(parts)


def host_name(host: str) -> str:
    """Return the name in a Host header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def token_of(header: str | None) -> str:
    """Return the token in an Authorization header: of Bearer, or as the password of Basic.

    Clients that know of no token can be given a URL with one: http://any:TOKEN@host:port/.
    """
    scheme, _, value = (header or "").partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer":
        return value
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def digest(token: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
