"""Data sets of a hub, by id: their files of rows land in a folder, each whole or not at all."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from codeloop.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

HUB = "https://huggingface.co"
SCHEME = "hf://"

_ROWS = (".jsonl", ".jsonl.gz", ".ndjson", ".json", ".json.gz", ".csv", ".csv.gz", ".parquet")
_NO_ROWS = frozenset({"dataset_infos.json", "dataset_info.json", "package.json", "state.json"})
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_READ_BYTES = 1 << 20
_FILES = 10_000  # of one data set; more is a mistake


@dataclass(frozen=True, slots=True)
class HubName:
    """A data set of a hub as `hf://OWNER/NAME[@REVISION][/PATH]` names it."""

    id: str
    revision: str = "main"
    path: str = ""  # a file or a folder in it

    @classmethod
    def parse(cls, text: str) -> "HubName":
        """Return what a text names.

        Raises:
            ConfigError: it names nothing.
        """
        parts = text.removeprefix(SCHEME).split("/", 2)
        name, _, revision = "/".join(parts[:2]).partition("@")
        path = parts[2].strip("/") if len(parts) > 2 else ""  # noqa: PLR2004  owner, name, path
        if not _NAME.fullmatch(name) or ".." in PurePosixPath(path).parts:
            msg = f"{text!r} is not {SCHEME}OWNER/NAME, with @REVISION and /PATH if wanted"
            raise ConfigError(msg)
        return cls(name, revision or "main", path)


def fetch(name: HubName, folder: Path, *, endpoint: str = HUB, token: str = "") -> Path:
    """Have the files of rows of a data set below a folder; return where they lie.

    What is there already, with its size, is not fetched again. A token goes to the endpoint's
    host alone.

    Raises:
        ConfigError: the hub knows no such data set, or it holds no file of rows.
        DataError: the hub cannot be reached, or gives what it should not.
    """
    import urllib3  # noqa: PLC0415  only who names a data set of a hub needs it

    pool = urllib3.PoolManager(retries=urllib3.Retry(3, redirect=False, backoff_factor=0.5))
    place = folder / name.id.replace("/", "--") / quote(name.revision, safe="")
    try:
        found = [each for each in _listed(pool, name, endpoint, token) if _is_wanted(each[0], name)]
        if not found:
            msg = f"{SCHEME}{name.id}: no file of rows ({', '.join(_ROWS)})"
            raise ConfigError(msg)
        for path, size in found:
            target = place / path
            if not target.is_file() or target.stat().st_size != size:
                url = f"{endpoint}/datasets/{name.id}/resolve/{quote(name.revision, safe='')}/"
                _save(_get(pool, url + quote(path), endpoint, token), target, size)
    except urllib3.exceptions.HTTPError as error:
        msg = f"{endpoint}: {error}"
        raise DataError(msg) from error
    except OSError as error:
        msg = f"{place}: {error.strerror or error}"
        raise DataError(msg) from error
    finally:
        pool.clear()
    return place / name.path if name.path else place


def _is_wanted(path: str, name: HubName) -> bool:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or pure.name in _NO_ROWS:
        return False
    within = not name.path or path == name.path or path.startswith(f"{name.path}/")
    return within and path.endswith(_ROWS)


def _listed(
    pool: "PoolManager", name: HubName, endpoint: str, token: str
) -> Iterator[tuple[str, int]]:
    """Yield path and size of each file, page by page."""
    revision = quote(name.revision, safe="")
    url = f"{endpoint}/api/datasets/{name.id}/tree/{revision}?recursive=true"
    count = 0
    while url:
        answer = _get(pool, url, endpoint, token)
        for entry in _entries(answer.read(), url):
            if entry.get("type") == "file":
                yield str(entry["path"]), int(entry["size"])
                count += 1
        following = re.search(r'<([^>]+)>; *rel="next"', answer.headers.get("Link", ""))
        url = urljoin(url, following[1]) if following and count < _FILES else ""


def _entries(data: bytes, url: str) -> list[dict[str, Any]]:
    try:
        entries = json.loads(data)
    except ValueError as error:
        msg = f"{url}: not JSON ({error})"
        raise DataError(msg) from error
    if not isinstance(entries, list) or not all(
        isinstance(each, dict) and {"type", "path"} <= each.keys() for each in entries
    ):
        msg = f"{url}: not a list of files"
        raise DataError(msg)
    return entries


def _get(pool: "PoolManager", url: str, endpoint: str, token: str) -> "BaseHTTPResponse":
    """Return the answer to a request; a file may be kept at another host."""
    for _ in range(5):
        own = urlsplit(url)[:2] == urlsplit(endpoint)[:2]
        headers = {"Authorization": f"Bearer {token}"} if token and own else {}
        answer = pool.request(
            "GET", url, headers=headers, redirect=False, preload_content=False, timeout=60
        )
        target = answer.get_redirect_location()
        if not target:
            break
        answer.release_conn()
        url = urljoin(url, target)
    if answer.status in {401, 403, 404}:
        msg = f"{url}: not there, or not for everyone ({answer.status})"
        raise ConfigError(msg)
    if answer.status != 200:  # noqa: PLR2004  OK
        msg = f"{url}: the hub answers {answer.status}"
        raise DataError(msg)
    return answer


def _save(answer: "BaseHTTPResponse", target: Path, size: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.tmp")
    count = 0
    with unfinished.open("wb") as file:
        while piece := answer.read(_READ_BYTES):
            count += file.write(piece)
            if count > size:
                break
    if count != size:
        unfinished.unlink()
        msg = f"{target.name}: {count} bytes came, {size} were announced"
        raise DataError(msg)
    unfinished.replace(target)
