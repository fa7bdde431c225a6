"""Makes ready, once for a machine, what compilers would else do again for each program."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from codeloop.core.errors import SandboxError
from codeloop.sandbox.languages import (
    CPP_FLAGS,
    CPP_HEADERS,
    JAVAC_CLASSES,
    JAVAC_FLAGS,
    PATH,
    find_tool,
)

_TIMEOUT_S = 300.0
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
