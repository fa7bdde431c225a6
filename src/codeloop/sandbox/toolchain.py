"""Makes ready, once for a machine, what would else be done again for each program or session."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from codeloop.core.errors import SandboxError
from codeloop.core.execution import MIB, ExecutionLimits
from codeloop.sandbox.languages import (
    CPP_FLAGS,
    CPP_HEADERS,
    JAVAC_CLASSES,
    JAVAC_FLAGS,
    PATH,
    TABLE,
    find_languages,
    find_tool,
)
from codeloop.sandbox.sandbox import open_sandbox

_TIMEOUT_S = 300.0
LODASH = Path("/usr/share/nodejs/lodash")  # which tests of JavaScript import, as MBXP's do
_FIND_FONTS = """\
import shutil, matplotlib.font_manager
shutil.copytree(matplotlib.get_cachedir(), ".", dirs_exist_ok=True, symlinks=False)
"""
_CPP_HEADER = "bits/stdc++.h"
# What is archived is what javac loads for it: generics, lambdas, records, streams.
_JAVA_PROGRAM = """\
import java.util.*;
import java.util.function.*;
import java.util.stream.*;

public class Main {
    record Pair<A, B>(A first, B second) {}
    enum Colour { RED, GREEN }
    interface Shape { double area(); }

    public static void main(String[] args) throws Exception {
        Map<String, List<Integer>> map = new TreeMap<>();
        map.computeIfAbsent("a", key -> new ArrayList<>()).add(1);
        for (var entry : map.entrySet()) {
            System.out.printf("%s %s%n", entry.getKey(), new Pair<>(1, "x").second());
        }
        int[] numbers = {3, 1, 2};
        Arrays.sort(numbers);
        Function<Integer, Integer> twice = number -> number * 2;
        System.out.println(IntStream.of(numbers).boxed().map(twice).collect(Collectors.toList()));
        Shape square = () -> 4.0;
        switch (Colour.RED) {
            case RED -> System.out.println(square.area());
            default -> throw new IllegalStateException();
        }
    }
}
"""


def missing_packages() -> list[str]:
    """Return Debian's packages with the tools, of all languages, that the jail does not find."""
    found = find_languages()
    wanted = [row.package.split() for row in TABLE if row.name not in found]
    named = dict.fromkeys(name for names in wanted for name in names)
    return [*named] if LODASH.exists() else [*named, "node-lodash"]


def prepare_toolchain(folder: Path) -> Iterator[str]:
    """Fill a directory for `open_sandbox(toolchain=...)` anew; yield the name of what was made.

    Raises:
        SandboxError: a compiler failed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="toolchain.", dir=folder.parent) as made:
        new = Path(made) / "new"
        new.mkdir(mode=0o755)
        if find_tool("g++"):
            _compile_headers(new / CPP_HEADERS)
            yield f"{_CPP_HEADER}, compiled beforehand"
        if find_tool("javac"):
            _archive_classes(new / JAVAC_CLASSES, Path(made))
            yield "the classes of javac, parsed beforehand"
        if folder.exists():
            folder.rename(Path(made) / "old")
        new.rename(folder)


def prepare_fonts(packages: Path, folder: Path) -> None:
    """Have Matplotlib look for fonts, in the jail, and keep in `folder` what it found.

    In `.matplotlib` of the packages that are lent to guests, each session finds it there; else
    its first plot would take longer.

    Raises:
        SandboxError: it cannot be run here, or is not among the packages.
    """
    limits = ExecutionLimits(cpu_s=_TIMEOUT_S, wall_s=_TIMEOUT_S, memory_bytes=1024 * MIB)
    with open_sandbox(guest_packages=packages) as sandbox:
        session = sandbox.open_session(stateful=True, limits=limits)
        *_, _result = session.run(_FIND_FONTS)
        found = [file.path for file in session.list_files() if file.path.startswith("fontlist")]
        if not found:
            msg = f"{packages}: Matplotlib found no fonts"
            raise SandboxError(msg)
        data = {name: session.get_file(name) for name in found}
    mode = packages.stat().st_mode
    packages.chmod(mode | 0o200)
    folder.mkdir(exist_ok=True)
    for name, text in data.items():
        (folder / name).write_bytes(text)
    packages.chmod(mode)


def _compile_headers(folder: Path) -> None:
    target = folder / f"{_CPP_HEADER}.gch"
    target.parent.mkdir(parents=True)
    source = folder / "all.h"
    source.write_text(f"#include <{_CPP_HEADER}>\n", encoding="ascii")
    _run("g++", *CPP_FLAGS, "-x", "c++-header", str(source), "-o", str(target))
    target.chmod(0o644)


def _archive_classes(target: Path, scratch: Path) -> None:
    source = scratch / "Main.java"
    source.write_text(_JAVA_PROGRAM, encoding="ascii")
    archive = f"-J-XX:ArchiveClassesAtExit={target}"
    _run("javac", archive, *JAVAC_FLAGS, "-d", str(scratch / "classes"), str(source))
    target.chmod(0o644)


def _run(tool: str, *arguments: str) -> None:
    path = shutil.which(tool, path=PATH)
    try:
        done = subprocess.run(
            [path or tool, *arguments],
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
            env={"PATH": PATH, "LC_ALL": "C.UTF-8"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        msg = f"{tool}: {error}"
        raise SandboxError(msg) from error
    if done.returncode != 0:
        msg = f"{tool}: {done.stderr.decode('utf-8', 'replace')[-500:].strip()}"
        raise SandboxError(msg)
