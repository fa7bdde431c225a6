"""A slot's disk where it has no mounts of its own: folders of the host's, kept small by looking."""

# ruff: noqa: PTH102, PTH106, PTH115, PTH208  (pathlib is slow to import)

import contextlib
import os
import time

_NAMES = ("work", "tmp")
_LOOK_S = 0.1
_LOOK_SHARE = 0.1  # of the time goes into looking, at most
_BLOCK_BYTES = 512
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Folders:
    """The work directory and the temporary one of a slot; $HOME and $TMPDIR say where they are."""

    def __init__(self, base: str, size: int, files: int) -> None:
        self._own = f"{base}/{os.getpid()}"
        self._places = [f"{self._own}/{name}" for name in _NAMES]
        self._lent = False
        self._size = size
        self._files = files
        self._look_at = 0.0
        self._used = 0, 0
        os.mkdir(self._own, 0o700)
        self._make()

    def clear(self) -> None:
        """Empty them."""
        remove(self._own, keep=True)
        self._make()

    def lend(self) -> list[int]:
        """Return descriptors of them, for another slot of the session to use."""
        return [os.open(place, _OPEN) for place in self._places]

    def adopt(self, folders: list[int]) -> None:
        """Use another slot's."""
        self._places = [os.readlink(f"/proc/self/fd/{folder}") for folder in folders]
        self._say()

    def used_bytes(self) -> int:
        """Return how much is on them."""
        return self._look()[0]

    def is_full(self) -> bool:
        """Return whether there is as much on them as there may be."""
        size, files = self._look()
        return size >= self._size or files >= self._files

    def is_over(self) -> bool:
        """Return whether there is more on them than there may be; looks now and then only."""
        now = time.monotonic()
        if now >= self._look_at:
            self._used = self._look()
            took_s = time.monotonic() - now
            self._look_at = now + max(_LOOK_S, took_s / _LOOK_SHARE)
        return self._used[0] > self._size or self._used[1] > self._files

    def remove(self) -> None:
        """Remove our own, with all that is in them."""
        remove(self._own)

    def _make(self) -> None:
        for name in _NAMES:
            os.mkdir(f"{self._own}/{name}", 0o700)
        self._say()

    def _say(self) -> None:
        os.environ["HOME"], os.environ["TMPDIR"] = self._places
        if "MPLCONFIGDIR" in os.environ:
            os.environ["MPLCONFIGDIR"] = f"{self._places[1]}/matplotlib"

    def _look(self) -> tuple[int, int]:
        """Return the bytes and the number of what is on them."""
        size = files = 0
        pending = list(self._places)
        while pending:
            with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
                for entry in entries:
                    files += 1
                    with contextlib.suppress(OSError):
                        size += entry.stat(follow_symlinks=False).st_blocks * _BLOCK_BYTES
                        if entry.is_dir(follow_symlinks=False):
                            pending.append(entry.path)
        return size, files


def remove(path: str, *, keep: bool = False) -> None:
    """Remove a folder with all that is in it, or only what is in it; no link is followed.

    What lies deep is moved up first, so that depth costs neither stack nor descriptors.
    """
    try:
        top = os.open(path, _OPEN)
    except FileNotFoundError:
        return
    try:
        while names := os.listdir(top):
            for name in names:
                if _unlink(name, top):
                    continue
                folder = _open_folder(name, top)
                for below in os.listdir(folder):
                    if not _unlink(below, folder):
                        os.close(_open_folder(below, folder))
                        aside = os.urandom(8).hex()  # not to be foreseen by who is to be removed
                        os.rename(below, aside, src_dir_fd=folder, dst_dir_fd=top)
                os.close(folder)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    if not keep:
        os.rmdir(path)


def _unlink(name: str, folder: int) -> bool:
    """Remove what is no folder; return whether it was none."""
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        return False
    return True


def _open_folder(name: str, folder: int) -> int:
    """Open a folder that its owner may have closed to all."""
    os.chmod(name, 0o700, dir_fd=folder)
    return os.open(name, _OPEN, dir_fd=folder)
