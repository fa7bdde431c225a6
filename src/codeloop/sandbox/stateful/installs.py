"""Lines such as `%pip install NAME` in a cell: what they ask for, and how wheels are had for them.

Packages are never unpacked on the host, let alone built: pip brings wheels, the jail unpacks them
into a folder of the session's own disk.
"""

import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = ".packages"  # in the work directory
STOPPED = "the installation was interrupted"
DECLINED = "a person has to agree to the installation, and nobody did"
_YES = frozenset({"y", "yes"})
_LINE = re.compile(
    r"^([ \t]*)[%!][ \t]*(?:python3?[ \t]+-m[ \t]+)?pip3?[ \t]+install\b(.*)$", re.MULTILINE
)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,99})")
_REQUIREMENT = re.compile(rf"({_NAME.pattern})(?:\[[\w.,-]+\])?((?:[<>=!~]=?=?[\w.*+!,<>=~-]+)?)")
_IDLE_FLAGS = frozenset({"-q", "-qq", "--quiet", "-U", "--upgrade", "--user", "--no-cache-dir"})
_MOST = 20  # packages that one cell asks for
_TIMEOUT_S = 300.0
_LOOK_S = 0.1
_SAID_BYTES = 2000
_BLOCK_BYTES = 4096

# Runs in the jail, beside the session's process and on its disk.
UNPACK = f"""\
import os, shutil, sys, zipfile
os.chdir({FOLDER!r})
for wheel in [name for name in os.listdir() if name.endswith(".whl")]:
    with zipfile.ZipFile(wheel) as archive:
        os.remove(wheel)  # while it is open
        entries = archive.infolist()
        if sum(entry.file_size + {_BLOCK_BYTES} for entry in entries) > shutil.disk_usage(".").free:
            sys.exit(f"no room for {{wheel}}")
        for entry in entries:
            top, _, rest = entry.filename.partition("/")
            if top.endswith(".data"):
                kind, _, entry.filename = rest.partition("/")
                if kind not in ("purelib", "platlib") or not entry.filename:
                    continue
            archive.extract(entry)
"""
# Takes the place of the line; the folder comes last, so that it hides nothing that was there.
_USE = (
    "__import__('site').addsitedir(__import__('os').environ['HOME'] + '/{folder}'); "
    "__import__('importlib').invalidate_caches(); print({said!r})"
)


@dataclass(frozen=True, slots=True)
class InstallPolicy:
    """Where packages may come from: nowhere, a folder of wheels, or the URL of an index.

    `names` are the only ones that may come, dependencies included; None allows whatever the source
    has. `present` is what the guest can import anyway. With `asks`, a person has to say yes first.
    """

    source: str | None = None
    names: frozenset[str] | None = None
    present: frozenset[str] = frozenset()
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """A cell's code, and the words that its lines have after `pip install`."""

    code: str
    words: tuple[str, ...]

    def code_with(self, said: str) -> str:
        """Return the code with as many lines, the first of which now lets the packages be found."""
        uses = iter([_USE.format(folder=FOLDER, said=said)])
        return _LINE.sub(lambda line: line[1] + next(uses, "pass"), self.code)


def find(code: str) -> Wanted | None:
    """Return what a cell wants installed, or None; such a line may also be part of a string."""
    lines = [line[2] for line in _LINE.finditer(code)]
    return Wanted(code, tuple(word for line in lines for word in _split(line))) if lines else None


def present_in(packages: Path | None) -> frozenset[str]:
    """Return the names of what is installed in a folder."""
    if packages is None:
        return frozenset()
    return frozenset(_normal(path.name.partition("-")[0]) for path in packages.glob("*.dist-info"))


def question(policy: InstallPolicy, words: Sequence[str]) -> str:
    """Return what a person is asked before packages come; empty if there is nothing to ask."""
    missing = _missing(policy, words)
    if not policy.asks or isinstance(missing, str) or _refused(policy, missing):
        return ""
    where = "from the network" if _is_index(policy) else "from the wheels kept here"
    named = ", ".join(word for word, _ in missing)
    return f"Install {named}, and what they need, {where}? [y/N] " if missing else ""


def agrees(line: str | None) -> bool:
    """Return whether a line that was typed says yes."""
    return line is not None and line.strip().lower() in _YES


def bring(
    policy: InstallPolicy, words: Sequence[str], folder: Path, stopped: Callable[[], bool]
) -> str | None:
    """Put the wheels that are wanted into a folder; return what went wrong, if anything did.

    `stopped` is asked now and then whether nobody wants them any more.
    """
    missing = _missing(policy, words)
    if isinstance(missing, str):
        return missing
    asked = [word for word, _ in missing]
    return _refused(policy, missing) or (
        _download(policy, asked, folder, stopped) if asked else None
    )


def _missing(policy: InstallPolicy, words: Sequence[str]) -> list[tuple[str, str]] | str:
    """Return the words that name what is not there, each with its name; or what is wrong."""
    wanted = [word for word in words if word not in _IDLE_FLAGS]
    if len(wanted) > _MOST:
        return f"more than {_MOST} packages in one cell"
    missing = []
    for word in wanted:
        match = _REQUIREMENT.fullmatch(word)
        if match is None:
            return f"{word!r}: only names of packages can be installed, with versions if need be"
        if match[2] or _normal(match[1]) not in policy.present:
            missing.append((word, _normal(match[1])))
    return missing


def _refused(policy: InstallPolicy, missing: list[tuple[str, str]]) -> str | None:
    if missing and policy.source is None:
        asked = [word for word, _ in missing]
        return f"packages cannot be installed in this session, and these are missing: {asked}"
    return _refusal([name for _, name in missing if not _allowed(policy, name)])


def _is_index(policy: InstallPolicy) -> bool:
    return str(policy.source).startswith(("https://", "http://"))


def _download(
    policy: InstallPolicy, asked: list[str], folder: Path, stopped: Callable[[], bool]
) -> str | None:
    source = str(policy.source)
    where = ["--index-url", source] if _is_index(policy) else ["--no-index", "--find-links", source]
    command = [sys.executable, "-I", "-m", "pip", "--isolated", "download", "--quiet"]
    command += ["--disable-pip-version-check", "--no-input", "--no-cache-dir"]
    command += ["--only-binary", ":all:", "--dest", str(folder), *where, "--", *asked]
    ends = time.monotonic() + _TIMEOUT_S
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        ) as pip,
    ):
        try:
            while pip.poll() is None:
                if stopped():
                    return STOPPED
                if time.monotonic() > ends:
                    return f"pip was not done in {_TIMEOUT_S:.0f} s"
                time.sleep(_LOOK_S)
        finally:
            pip.kill()
        if pip.returncode != 0:
            said.seek(0, 2)
            said.seek(max(0, said.tell() - _SAID_BYTES))
            return said.read().decode("utf-8", "replace").strip() or "pip failed"
    names = [_normal(path.name.partition("-")[0]) for path in folder.iterdir()]
    return _refusal([name for name in names if not _allowed(policy, name)])


def _allowed(policy: InstallPolicy, name: str) -> bool:
    return policy.names is None or name in {_normal(each) for each in policy.names}


def _refusal(names: list[str]) -> str | None:
    return f"not among the packages that may be installed here: {names}" if names else None


def _normal(name: str) -> str:
    """Return a name as PEP 503 compares them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # a quote without its other half
        return [line]
