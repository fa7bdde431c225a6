"""Downloads one address into a part file: resumes, follows redirects, bounds what it accepts."""

import errno
import re
import shutil
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from codeloop.core.errors import ModelError
from codeloop.models.part import READ_BYTES, PartFile

if TYPE_CHECKING:  # urllib3 is heavy: it is imported by whoever downloads
    from urllib3 import BaseHTTPResponse, PoolManager

CONNECT_S = 15
STALL_S = 60
REDIRECTS = 6
TRIES = 4  # in a row that bring nothing
MARGIN_BYTES = 16 << 20  # left free on the disk
RETRIED = frozenset({408, 429, 500, 502, 503, 504})
OK, PARTIAL, UNSATISFIABLE = 200, 206, 416


@dataclass(frozen=True, slots=True)
class Published:
    """What the other side says of the file: its size, and its hash if it names one."""

    size_bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Effects:
    """What a download does besides filling its file: it reports, and it waits."""

    tick: Callable[[int], None]  # bytes that the file holds now
    sleep: Callable[[float], None]


class _BrokenError(Exception):
    """The transfer broke in a way that another try may mend."""


def open_pool(url: str, *, ca_file: str | None = None) -> "PoolManager":
    """Return a client for that address that honours the proxies of the environment."""
    import urllib3  # noqa: PLC0415

    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy, ca_certs=ca_file)
    return urllib3.PoolManager(ca_certs=ca_file)


def download(
    url: str,
    part: PartFile,
    effects: Effects,
    *,
    size_bytes: int | None = None,
    ca_file: str | None = None,
) -> Published:
    """Fill the file from the address, from where it stands, until it is whole.

    Raises:
        ModelError: it cannot be had there; the text says why in a few words.
        OSError: the disk failed, or is full.
    """
    idle = 0
    with open_pool(url, ca_file=ca_file) as pool:
        while True:
            before = part.size
            try:
                return _transfer(pool, url, part, effects, size_bytes)
            except _BrokenError as error:
                idle = 0 if part.size > before else idle + 1
                if idle >= TRIES:
                    raise ModelError(str(error)) from error
                effects.sleep(2.0**idle)


def check_space(folder: Path, needed_bytes: int) -> None:
    """Raise OSError (no space left) unless so many bytes fit into the folder."""
    free = shutil.disk_usage(folder).free
    if needed_bytes + MARGIN_BYTES > free:
        say = f"needs {needed_bytes / 1e6:.0f} MB, but {free / 1e6:.0f} MB are free"
        raise OSError(errno.ENOSPC, say, str(folder))


def _transfer(
    pool: "PoolManager", url: str, part: PartFile, effects: Effects, size_bytes: int | None
) -> Published:
    from urllib3.exceptions import HTTPError, NewConnectionError, SSLError  # noqa: PLC0415

    try:
        response, sha256 = _open(pool, url, part)
        try:
            total = _start(response, part, size_bytes)
            check_space(part.path.parent, (total or 0) - part.size)
            _copy(response, part, effects, total)
        finally:
            response.close()
    except (NewConnectionError, SSLError) as error:  # another try would not mend it
        msg = f"no connection to {urlsplit(url).hostname}"
        raise ModelError(msg) from error
    except HTTPError as error:
        msg = f"the connection to {urlsplit(url).hostname} broke ({type(error).__name__})"
        raise _BrokenError(msg) from error
    return Published(total, sha256)


def _open(pool: "PoolManager", url: str, part: PartFile) -> "tuple[BaseHTTPResponse, str | None]":
    """Ask for what is missing; return the answer and the hash that the hub publishes."""
    from urllib3.util import Timeout  # noqa: PLC0415

    headers = {"Accept-Encoding": "identity", "User-Agent": "codeloop"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
    sha256 = None
    for _ in range(REDIRECTS):
        response = pool.request(
            "GET",
            url,
            headers=headers,
            preload_content=False,
            redirect=False,
            retries=False,
            timeout=Timeout(connect=CONNECT_S, read=STALL_S),
        )
        etag = response.headers.get("X-Linked-Etag", "").strip('"')
        sha256 = etag if re.fullmatch("[0-9a-f]{64}", etag) else sha256
        target = response.get_redirect_location()
        if not target:
            return response, sha256
        response.close()
        url = _follow(url, target)
    msg = "too many redirects"
    raise ModelError(msg)


def _follow(url: str, target: str) -> str:
    to = urljoin(url, target)
    if urlsplit(to).scheme != "https" and urlsplit(url).scheme == "https":
        msg = "it redirects from https to an open connection"
        raise ModelError(msg)
    return to


def _start(response: "BaseHTTPResponse", part: PartFile, size_bytes: int | None) -> int | None:
    """Line the file up with the answer; return the size that it will have."""
    if response.status in RETRIED:
        msg = f"it answers {response.status}"
        raise _BrokenError(msg)
    if response.status == UNSATISFIABLE and part.size:
        part.rewind(0)
        msg = "it refuses to go on from where the last try ended"
        raise _BrokenError(msg)
    if response.status not in {OK, PARTIAL}:
        msg = f"it answers {response.status}"
        raise ModelError(msg)
    start, total = 0, _number(response.headers.get("Content-Length"))
    if response.status == PARTIAL:
        start, total = _content_range(response.headers.get("Content-Range", ""))
    if start > part.size:
        msg = "it sends another range than was asked for"
        raise ModelError(msg)
    if size_bytes is not None and total is not None and total != size_bytes:
        msg = f"it has {total} bytes, not {size_bytes}"
        raise ModelError(msg)
    part.rewind(start)
    return total if size_bytes is None else size_bytes


def _copy(
    response: "BaseHTTPResponse", part: PartFile, effects: Effects, total: int | None
) -> None:
    while data := response.read1(READ_BYTES):
        if total is not None and part.size + len(data) > total:
            msg = f"it sends more than {total} bytes"
            raise ModelError(msg)
        part.write(data)
        effects.tick(part.size)
    if total is not None and part.size < total:
        msg = f"the connection ended after {part.size} of {total} bytes"
        raise _BrokenError(msg)


def _content_range(text: str) -> tuple[int, int | None]:
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", text)
    if not match:
        msg = f"its Content-Range makes no sense: {text[:40]!r}"
        raise ModelError(msg)
    return int(match[1]), _number(match[2])


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
