"""The private root: a small read-only tree of binds that holds nothing of the host's own data."""

# ruff: noqa: PTH101, PTH102, PTH103, PTH110, PTH112, PTH114, PTH115, PTH118, PTH120, PTH123, PTH207, PTH208, PTH211  (pathlib is slow to import)

import glob
import os
import sys

from codeloop.sandbox.jail import sample, syscalls
from codeloop.sandbox.jail.syscalls import MS_BIND, MS_NODEV, MS_NOSUID, MS_RDONLY, MS_REC

WORK = "/work"
PACKAGES = "/opt/packages"  # where the guest finds the packages that the host lends it
FONTS = f"{PACKAGES}/.matplotlib"  # a cache that `prepare_fonts` has made
PLOT_SETTINGS = "/tmp/.matplotlib"  # noqa: S108  the guest's own
TOOLCHAIN = "/opt/toolchain"  # where compilers find what was made ready for them

_TMP = "/tmp"  # noqa: S108  the guest's own
_SHM = "/dev/shm"  # noqa: S108  the guest's own
_DISK = (WORK, _TMP, _SHM)
_STAGE = _TMP  # covered by a mount of ours that only this process sees
_OLD = "/old"
_NEW = "/new"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
DEVICES = ("null", "zero", "full", "random", "urandom")
_SHOWN = ("ld.so.cache", "localtime", "alternatives", "fonts")
_SHOWN_OF_LANGUAGES = ("R", "java-*-openjdk", "php/*/cli", "php/*/mods-available")
WRITTEN = {
    "passwd": "guest:x:1000:1000:guest:/work:/bin/sh\n",
    "group": "guest:x:1000:\n",
    "hosts": "127.0.0.1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
_READ_ONLY = MS_RDONLY | MS_NOSUID | MS_NODEV
_COVERED = (WORK, _TMP, "/proc", "/dev")  # a slot mounts its own there


def work() -> str:
    """Return the work directory of the slot that this process is, or is in."""
    return os.environ["HOME"]


def places() -> tuple[str, ...]:
    """Return every directory that a guest of this slot may write to."""
    own = os.environ["HOME"], os.environ["TMPDIR"]
    return (*own, _SHM) if own[0] == WORK else own


def here(text: str) -> str:
    """Return a text with the private root's own paths in it replaced by where they are here."""
    if work() == WORK:
        return text
    import re  # noqa: PLC0415  not for the guests that do without

    moved = {WORK: work(), _TMP: os.environ["TMPDIR"]}
    moved[TOOLCHAIN] = os.environ.get("CODELOOP_TOOLCHAIN", TOOLCHAIN)
    ours = "|".join(moved)
    return re.sub(rf"(?<![\w/])({ours})(?=/)", lambda found: moved[found[0]], text)


def shown() -> tuple[str, ...]:
    """Return what the private root shows of the host, for a guest that is left in the host's."""
    settings = (*_SHOWN, *_settings_of_languages("/etc"))
    paths = (*SYSTEM, *(f"/etc/{name}" for name in settings))
    return tuple(path for path in paths if os.path.exists(path))


def link_font_cache() -> None:
    """Let Matplotlib find the fonts that were looked up once, in a folder that it can write to."""
    if work() != WORK:  # the folder would be the host's
        return
    try:
        names = os.listdir(FONTS)
        os.mkdir(PLOT_SETTINGS)
        for name in names:
            os.symlink(f"{FONTS}/{name}", f"{PLOT_SETTINGS}/{name}")
    except OSError:  # no fonts were looked up, or a guest before this one has made the folder
        return


def enter(packages: str | None, toolchain: str | None) -> None:
    """Make a private root and move into it; needs a mount namespace of our own.

    Raises:
        OSError: a mount failed.
        ValueError: Python lies where the guest's own directories have to be.
    """
    syscalls.mount("none", "/", "", syscalls.MS_PRIVATE | MS_REC)
    syscalls.mount("tmpfs", _STAGE, "tmpfs", MS_NOSUID, "mode=755,size=1m")
    os.mkdir(_STAGE + _OLD)
    os.mkdir(_STAGE + _NEW)
    syscalls.pivot_root(_STAGE, _STAGE + _OLD)
    os.chdir("/")
    syscalls.mount("tmpfs", _NEW, "tmpfs", MS_NOSUID, "mode=755,size=4m")
    _fill({PACKAGES: packages, TOOLCHAIN: toolchain})
    os.chdir(_NEW)
    syscalls.pivot_root(".", ".")
    syscalls.umount(".")
    os.chdir("/")
    syscalls.restrict_mounts("/", _READ_ONLY, recursive=False)


def guard_devices() -> None:
    """Keep the modes of devices from being changed, where another program has mounted them."""
    for name in DEVICES:
        syscalls.restrict_mounts(f"/dev/{name}", MS_RDONLY | MS_NOSUID, recursive=False)


def _fill(lent: dict[str, str | None]) -> None:
    for path in SYSTEM:
        _show_system(path)
    for path in sorted({sys.base_prefix, sys.base_exec_prefix}):
        _show_python(path)
    for target, source in lent.items():
        if source:
            _bind(_OLD + source, _NEW + target)
    for name in ("proc", "work", "tmp", "dev/shm", "etc"):
        os.makedirs(f"{_NEW}/{name}")
    syscalls.mount(f"{_OLD}/proc", f"{_NEW}/proc", "", MS_BIND | MS_REC)
    scratch = "mode=1777,size=16m"  # for the zygote; each slot covers it with its own
    syscalls.mount("tmpfs", _NEW + _TMP, "tmpfs", MS_NOSUID | MS_NODEV, scratch)
    for name in DEVICES:
        _bind(f"{_OLD}/dev/{name}", f"{_NEW}/dev/{name}", MS_RDONLY | MS_NOSUID)
    for name, target in LINKS.items():
        os.symlink(target, f"{_NEW}/dev/{name}")
    for name in (*_SHOWN, *_settings_of_languages(f"{_OLD}/etc")):
        _show_setting(name)
    for name, text in WRITTEN.items():
        with open(f"{_NEW}/etc/{name}", "w", encoding="utf-8") as file:
            file.write(text)


def _show_system(path: str) -> None:
    if os.path.islink(_OLD + path):
        os.symlink(os.readlink(_OLD + path), _NEW + path)
    elif os.path.isdir(_OLD + path):
        _bind(_OLD + path, _NEW + path)


def _show_python(path: str) -> None:
    """Bind a directory of Python's own, unless it is there already."""
    if not os.path.isdir(_OLD + path) or path == "/" or path.startswith("/usr/") or path == "/usr":
        return
    if any(path == covered or path.startswith(covered + "/") for covered in _COVERED):
        msg = f"Python lies under {path}, which the jail covers; use one that is elsewhere"
        raise ValueError(msg)
    if not os.path.isdir(_NEW + path):
        _bind(_OLD + path, _NEW + path)


def _settings_of_languages(etc: str) -> list[str]:
    return [name for pattern in _SHOWN_OF_LANGUAGES for name in glob.glob(pattern, root_dir=etc)]


def _show_setting(name: str) -> None:
    """Bind a file or directory of /etc, following a link to where it really is."""
    source = f"{_OLD}/etc/{name}"
    for _ in range(8):
        if not os.path.islink(source):
            break
        source = _OLD + os.path.normpath(
            os.path.join(os.path.dirname(source)[len(_OLD) :], os.readlink(source))
        )
    if os.path.exists(source):
        _bind(source, f"{_NEW}/etc/{name}")


def _bind(source: str, target: str, flags: int = _READ_ONLY) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    syscalls.mount(source, target, "", MS_BIND | MS_REC)
    syscalls.restrict_mounts(target, flags, recursive=True)


class Mounts:
    """A slot's disk: /work, /tmp and /dev/shm, in one file system with one limit."""

    def __init__(self, size: int, files: int) -> None:
        self._options = f"size={size},nr_inodes={files},mode=755"
        self._mount()

    def clear(self) -> None:
        """Throw it away with all that is on it, for an empty one."""
        for target in (_TMP, _SHM, WORK, _TMP):  # /tmp twice: the bind, then the disk itself
            syscalls.umount(target)
        self._mount()

    def lend(self) -> list[int]:
        """Return descriptors of it, for another slot of the session to mount."""
        return [syscalls.open_tree(target) for target in _DISK]

    def adopt(self, mounts: list[int]) -> None:
        """Cover it with another slot's."""
        for mount, target in zip(mounts, _DISK, strict=True):
            syscalls.move_mount(mount, target)

    def used_bytes(self) -> int:
        """Return how much of it is taken."""
        disk = os.statvfs(WORK)
        return (disk.f_blocks - disk.f_bfree) * disk.f_frsize

    def is_full(self) -> bool:
        """Return whether it has no room for another page, or another file."""
        disk = os.statvfs(WORK)
        return disk.f_bavail == 0 or disk.f_favail == 0

    def is_over(self) -> bool:
        """Return whether there is more on it than there may be, which the kernel prevents."""
        return False

    def remove(self) -> None:
        """Leave it to the kernel, which takes it away with the slot."""

    def _mount(self) -> None:
        flags = MS_NOSUID | MS_NODEV
        syscalls.mount("disk", _TMP, "tmpfs", flags, self._options)
        places = (("work", WORK, 0o755), ("shm", _SHM, 0o1777), ("tmp", _TMP, 0o1777))
        for name, target, mode in places:
            os.mkdir(f"{_TMP}/{name}")
            os.chmod(f"{_TMP}/{name}", mode)
            syscalls.mount(f"{_TMP}/{name}", target, "", MS_BIND)


def mount_proc() -> sample.Proc:
    """Mount the slot's own /proc and return it for taking samples.

    A container that hides parts of its /proc has the kernel refuse new ones. There the guest's is
    empty, and samples come from the one outside.
    """
    outside = sample.outside()._replace(alone=True)
    flags = MS_NOSUID | MS_NODEV | syscalls.MS_NOEXEC
    try:
        syscalls.mount("proc", "/proc", "proc", flags, "hidepid=2,subset=pid")
    except OSError:
        syscalls.mount("none", "/proc", "tmpfs", flags | MS_RDONLY, "size=4k")
        return outside
    os.close(outside.descriptor)
    return sample.Proc(os.open("/proc", os.O_RDONLY | os.O_CLOEXEC), None)
