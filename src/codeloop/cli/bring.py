"""Bring to the host what code has made: files of its work directory, figures that it has shown."""

import base64
import binascii
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codeloop.core.errors import ConfigError, DataError
from codeloop.core.execution import MIB, ExecutionResult, WorkFile

if TYPE_CHECKING:
    from codeloop.sandbox import SandboxSession

_MOST_BYTES = 256 * MIB  # of all files at once: one with holes takes no room in the jail


def empty_folder(path: Path) -> Path:
    """Return the path of a folder in which nothing can be overwritten; it is made if missing.

    Raises:
        ConfigError: it has something in it, or cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            msg = f"{path}: not empty, and code is not to choose which files it overwrites"
            raise ConfigError(msg)
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise ConfigError(msg) from error
    return path


def save_new(path: Path, data: bytes) -> None:
    """Write a file where there is none.

    Raises:
        ConfigError: there is one, or the file cannot be written.
    """
    try:
        with path.open("xb") as file:
            file.write(data)
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise ConfigError(msg) from error


def figures(result: ExecutionResult) -> list[bytes]:
    """Return the figures that a run has shown, as PNG."""
    found = []
    for display in result.displays:
        try:
            found.append(base64.b64decode(dict(display.parts)["image/png"], validate=True))
        except (KeyError, binascii.Error, ValueError):  # none, or not what it says it is
            continue
    return found


def bring_all(
    session: "SandboxSession",
    before: Sequence[WorkFile],
    results: Iterable[ExecutionResult],
    folder: Path,
) -> Iterator[str]:
    """Save what is new since `before`, and all figures; yield a line on each, saved or not."""
    room = _MOST_BYTES
    for file in session.list_files():
        if file in before:
            continue
        if not _is_plain(file.path):
            yield f"{file.path!r}: left where it is, for its name"
            continue
        path = folder / file.path
        try:
            data = session.get_file(file.path, most_bytes=room)
            path.parent.mkdir(parents=True, exist_ok=True)
            save_new(path, data)
        except (ConfigError, DataError) as error:
            yield str(error)
        except OSError as error:
            yield f"{path}: {error.strerror}"
        else:
            room -= len(data)
            yield f"saved {path}"
    for image in itertools.chain.from_iterable(map(figures, results)):
        path = free_name(folder / "figure.png")
        save_new(path, image)
        yield f"saved {path}"


def free_name(path: Path) -> Path:
    """Return the path, with a number if there is something."""
    for number in itertools.count(2):
        if not path.exists():
            break
        path = path.with_stem(f"{path.stem.removesuffix(f'-{number - 1}')}-{number}")
    return path


def _is_plain(path: str) -> bool:
    """Return whether no part is hidden, as settings and hooks of programs are, or unprintable."""
    return path.isprintable() and not any(part.startswith(".") for part in path.split("/"))
