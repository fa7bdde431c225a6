"""Brings one file here from its address: whole and found right, or not at all."""

import time
from collections.abc import Callable
from pathlib import Path

from codeloop.core.errors import ModelError
from codeloop.models.download import Effects, download
from codeloop.models.part import PartFile


def fetch(
    url: str,
    final: Path,
    check: Callable[[Path], None],
    *,
    most_bytes: int,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Bring a file from an address; return False if it is there already.

    `check` is given the file before it lands, and raises if it is not the right one: then nothing
    of it is kept. What an interrupted call has got is kept, and the next one goes on from there.

    Raises:
        ModelError: it cannot be had there, or is longer than `most_bytes`.
        OSError: it cannot be written.
    """
    if final.is_file():
        return False

    def tick(size: int) -> None:
        if size > most_bytes:
            part.rewind(0)
            msg = f"it sends more than {most_bytes} bytes"
            raise ModelError(msg)

    final.parent.mkdir(parents=True, exist_ok=True)
    with PartFile(final.with_name(f"{final.name}.part")) as part:
        if final.is_file():  # brought by another process that we waited for
            part.discard()
            return False
        _fill(url, part, check, Effects(tick, sleep))
        part.land(final)
    return True


def _fill(url: str, part: PartFile, check: Callable[[Path], None], effects: Effects) -> None:
    resumed = part.size > 0
    download(url, part, effects)
    try:
        check(part.path)
    except Exception:
        part.rewind(0)
        if not resumed:
            raise
        _fill(url, part, check, effects)  # the fault may lie in what an earlier call left
