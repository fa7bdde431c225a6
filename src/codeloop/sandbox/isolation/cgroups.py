"""Control groups: one for each slot, so that the kernel itself counts its memory and its tasks.

Three tiers, the first that can be had: groups of version 2, of version 1, or none. Sampling goes on
in all of them, and names the limit that was met; a group is what nothing gets past between two
samples. Documented in the kernel's admin-guide: cgroup-v2.rst, cgroup-v1/memory.rst, pids.rst.
"""

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from codeloop.core.execution import MIB

_PREFIX = "codeloop-"
_HOST = "codeloop-host-"  # where our own processes go to make room, in version 2
_CONTROLLERS = ("memory", "pids")
_OWN_BYTES = 32 * MIB  # of the slot itself, and of the kernel's for the slot
_REMOVE_S = 2.0
_AGAIN_S = 0.005


class Tier(StrEnum):
    """By what the memory and the tasks of a slot are counted."""

    V2 = "cgroup v2"
    V1 = "cgroup v1"
    SAMPLING = "sampling"


_FILES = {  # of the memory limit, and of how often it had to be enforced
    Tier.V2: ("memory.max", "memory.events"),
    Tier.V1: ("memory.limit_in_bytes", "memory.oom_control"),
}


@dataclass(slots=True)
class Group:
    """The group of one slot: a directory in each hierarchy that its tier has."""

    tier: Tier
    memory: Path
    pids: Path
    _limits: tuple[int, int] = field(default=(0, 0))

    def limit(self, memory_bytes: int, disk_bytes: int, processes: int) -> None:
        """Set what all that is in the group may have together; its disk is in memory too.

        Groups of version 2 could be told to kill all their processes at once, but that is the
        slot's to do: it has to outlive its guest, to say how it ended.
        """
        limits = memory_bytes + disk_bytes + _OWN_BYTES, processes + 1
        if limits == self._limits:
            return
        with contextlib.suppress(OSError):  # more than that is in use: sampling decides
            (self.memory / _FILES[self.tier][0]).write_text(str(limits[0]), encoding="ascii")
            (self.pids / "pids.max").write_text(str(limits[1]), encoding="ascii")
            self._limits = limits

    def add(self, pid: int) -> None:
        """Put a process, and all that it will start, into the group.

        Raises:
            OSError: the kernel refuses.
        """
        for folder in {self.memory, self.pids}:
            (folder / "cgroup.procs").write_text(str(pid), encoding="ascii")

    def open_events(self) -> int:
        """Return a descriptor that tells how many processes had to die for memory.

        Raises:
            OSError: it cannot be had.
        """
        return os.open(self.memory / _FILES[self.tier][1], os.O_RDONLY | os.O_CLOEXEC)

    def remove(self) -> None:
        """Kill what is left in the group, and remove it."""
        ends = time.monotonic() + _REMOVE_S
        for folder in {self.memory, self.pids}:
            while not _removed(folder) and time.monotonic() < ends:
                _kill(folder)
                time.sleep(_AGAIN_S)


@dataclass(frozen=True, slots=True)
class Groups:
    """Where groups can be made here, and why not by a better tier."""

    tier: Tier
    memory: Path = Path()
    pids: Path = Path()
    why: str = ""

    def make(self) -> Group | None:
        """Return a new group, or None where there are none to be had."""
        if self.tier is Tier.SAMPLING:
            return None
        name = f"{_PREFIX}{os.getpid()}-{os.urandom(4).hex()}"
        group = Group(self.tier, self.memory / name, self.pids / name)
        try:
            for folder in {group.memory, group.pids}:
                folder.mkdir()
        except OSError:
            group.remove()
            return None
        return group


def find(process: Path = Path("/proc/self")) -> Groups:
    """Return where this process can make groups, by the best tier; remove those left by the dead.

    `process` is where the kernel tells of this process: its `mountinfo` and its `cgroup`.
    """
    try:
        mounts = _mounts((process / "mountinfo").read_text(encoding="utf-8"))
        own = _own_paths((process / "cgroup").read_text(encoding="utf-8"))
    except OSError as error:
        return Groups(Tier.SAMPLING, why=f"{error.filename}: {error.strerror}")
    whys: list[str] = []
    for tier in (Tier.V2, Tier.V1):
        found, why = (_find_v2 if tier is Tier.V2 else _find_v1)(mounts, own)
        if found is not None:
            for base in set(found):
                _remove_stale(base)
            return Groups(tier, *found, why="; ".join(whys))
        whys.append(f"{tier}: {why}")
    return Groups(Tier.SAMPLING, why="; ".join(whys))


_Mount = tuple[Path, str]  # where it is, and which group its root is


def _mounts(text: str) -> dict[str, _Mount]:
    """Return the mounts of hierarchies by controller; that of version 2 goes by an empty name."""
    found: dict[str, _Mount] = {}
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        root, place = before.split()[3:5]
        kind, _, options = after.partition(" ")
        where = Path(place.replace("\\040", " ")), root
        if kind == "cgroup2":
            found.setdefault("", where)
        elif kind == "cgroup":
            for option in options.rpartition(" ")[2].split(","):
                found.setdefault(option, where)
    return found


def _own_paths(text: str) -> dict[str, str]:
    """Return which group this process is in, by controller."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        found |= dict.fromkeys(controllers.split(","), path)
    return found


def _own_folder(mounts: dict[str, _Mount], own: dict[str, str], name: str) -> Path | None:
    if name not in mounts or name not in own:
        return None
    place, root = mounts[name]
    path = own[name].removeprefix("" if root == "/" else root).lstrip("/")
    folder = place / path
    return folder if folder.is_dir() else None


def _find_v1(
    mounts: dict[str, _Mount], own: dict[str, str]
) -> tuple[tuple[Path, Path] | None, str]:
    folders = []
    for name in _CONTROLLERS:
        folder = _own_folder(mounts, own, name)
        if folder is None:
            return None, f"no {name} hierarchy"
        if not os.access(folder, os.W_OK):
            return None, f"{folder} is not ours to write to"
        folders.append(folder)
    return (folders[0], folders[1]), ""


def _find_v2(
    mounts: dict[str, _Mount], own: dict[str, str]
) -> tuple[tuple[Path, Path] | None, str]:
    folder = _own_folder(mounts, own, "")
    if folder is None:
        return None, "not mounted"
    if folder.name.startswith(_HOST):  # made room before
        folder = folder.parent
    missing = _missing(folder / "cgroup.controllers")
    if missing:
        return None, f"without {' and '.join(missing)}"
    if not os.access(folder, os.W_OK):
        return None, f"{folder} is not ours; start with: systemd-run --user --scope -p Delegate=yes"
    if _missing(folder / "cgroup.subtree_control") and not _make_room(folder):
        return None, f"{folder} has processes of others; start with: systemd-run --user --scope"
    return (folder, folder), ""


def _missing(file: Path) -> list[str]:
    try:
        there = file.read_text(encoding="ascii").split()
    except OSError:
        there = []
    return [name for name in _CONTROLLERS if name not in there]


def _make_room(folder: Path) -> bool:
    """Hand the controllers down, which the kernel allows where a group has no processes itself.

    Ours move to a group of their own. If others' are there too, it is left as it is.
    """
    pids = (folder / "cgroup.procs").read_text(encoding="ascii").split()
    if not all(_is_ours(int(pid)) for pid in pids):
        return False
    room = folder / f"{_HOST}{os.getpid()}"
    try:
        room.mkdir(exist_ok=True)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                (room / "cgroup.procs").write_text(pid, encoding="ascii")
        wanted = " ".join(f"+{name}" for name in _CONTROLLERS)
        (folder / "cgroup.subtree_control").write_text(wanted, encoding="ascii")
    except OSError:
        return False
    return True


def _is_ours(pid: int) -> bool:
    """Return whether a process is this one, or descends from it."""
    while pid not in {0, 1, os.getpid()}:
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
        pid = int(text.rpartition(")")[2].split()[1])
    return pid == os.getpid()


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _kill(folder: Path) -> None:
    """Kill what is in a group of ours."""
    with contextlib.suppress(OSError):
        if (folder / "cgroup.kill").exists():
            (folder / "cgroup.kill").write_text("1", encoding="ascii")
            return
        for pid in (folder / "cgroup.procs").read_text(encoding="ascii").split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def _remove_stale(base: Path) -> None:
    """Remove the groups of hosts that were killed."""
    for folder in base.glob(f"{_PREFIX}[0-9]*-*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            _removed(folder)
