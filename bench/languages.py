# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""What each language costs in the jail, and what each way to compile quicker gains, as ratios."""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from codeloop.core.execution import MIB, ExecutionLimits, ExecutionResult, Status
from codeloop.sandbox import SandboxSession, open_sandbox, prepare_toolchain

ROOMY = ExecutionLimits(
    cpu_s=60.0, wall_s=120.0, memory_bytes=1536 * MIB, processes=256, disk_bytes=512 * MIB
)
CPP = """\
#include <bits/stdc++.h>
using namespace std;
int main() {
    map<string, vector<int>> all;
    for (int i = 0; i < 9; i++) all[to_string(i % 3)].push_back(i * i);
    for (auto &[key, list] : all) cout << key << accumulate(list.begin(), list.end(), 0) << '\\n';
}
"""
JAVA = """\
import java.util.*;
import java.util.stream.*;
public class Main {
    public static void main(String[] a) {
        Map<Integer, List<Integer>> all = new TreeMap<>();
        for (int i = 0; i < 9; i++) all.computeIfAbsent(i % 3, k -> new ArrayList<>()).add(i * i);
        System.out.println(all.values().stream().map(List::size).collect(Collectors.toList()));
    }
}
"""
# One process that compiles JAVA again and again, each time other: what a warm compiler would take.
WARM = """\
import java.net.URI;
import java.nio.file.*;
import java.util.*;
import javax.tools.*;
public class Warm {
    static class Text extends SimpleJavaFileObject {
        final String text;
        Text(String text) {
            super(URI.create("string:///Main.java"), Kind.SOURCE);
            this.text = text;
        }
        public CharSequence getCharContent(boolean lenient) { return text; }
    }
    public static void main(String[] a) throws Exception {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        String text = Files.readString(Path.of("Main.java"));
        List<String> flags = List.of("-proc:none", "-nowarn", "-d", "/tmp/c");
        for (int i = 0; i < 40; i++) {
            long start = System.nanoTime();
            var files = compiler.getStandardFileManager(null, null, null);
            var one = List.of(new Text(text.replace("< 9", "< 9" + i)));
            if (!compiler.getTask(null, files, null, flags, null, one).call()) System.exit(1);
            if (i >= 20) System.out.println((System.nanoTime() - start) / 1e9);
        }
    }
}
"""
HELLO = {
    "python": "print(42)",
    "javascript": "console.log(42)",
    "typescript": "const x: number = 42; console.log(x)",
    "bash": "echo 42",
    "sql": "select 42",
    "c": '#include <stdio.h>\nint main(void) { puts("42"); }',
    "cpp": CPP,
    "java": JAVA,
    "rust": 'fn main() { println!("42"); }',
    "go": 'package main\nimport "fmt"\nfunc main() { fmt.Println(42) }',
    "r": "cat(42)",
    "php": "<?php echo 42;",
    "ruby": "puts 42",
    "perl": "print 42",
}
_CPP = "g++ -std=gnu++20 -pipe {flags} -o /tmp/a a.cpp"
_JAVAC = "javac {flags} -d /tmp/c Main.java"
_RUN = "java {flags} -cp /tmp/c Main"
_GO_ANEW = (  # a program that is not in the cache
    "{before} && sed s/42/$RANDOM/ main.go > new.go && "
    "GOCACHE={cache} go build {flags} -o /tmp/a new.go"
)
_PREPARED = "-J-XX:SharedArchiveFile=/opt/toolchain/javac.jsa"
_QUICK = "-J-XX:TieredStopAtLevel=1 -J-XX:+UseSerialGC -proc:none"
# A way, the plain way that it is compared to, and the commands of both: all run in the jail.
LEVERS = {
    "C++: headers compiled before": (
        _CPP.format(flags=""),
        _CPP.format(flags="-I/opt/toolchain/cpp"),
    ),
    "C++: gold, headers before": (
        _CPP.format(flags="-I/opt/toolchain/cpp"),
        _CPP.format(flags="-I/opt/toolchain/cpp -fuse-ld=gold"),
    ),
    "C++: both": (_CPP.format(flags=""), _CPP.format(flags="-I/opt/toolchain/cpp -fuse-ld=gold")),
    "javac: C1, serial GC": (_JAVAC.format(flags=""), _JAVAC.format(flags=_QUICK)),
    "javac: and classes before": (
        _JAVAC.format(flags=""),
        _JAVAC.format(flags=f"{_QUICK} {_PREPARED}"),
    ),
    "java: C1, serial GC": (
        _RUN.format(flags=""),
        _RUN.format(flags="-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto"),
    ),
    "go: a cache that is kept": (
        _GO_ANEW.format(cache="/tmp/g0", flags="-ldflags='-s -w'", before="rm -rf /tmp/g0"),
        _GO_ANEW.format(cache="/tmp/g1", flags="-ldflags='-s -w'", before="true"),
    ),
    "go: the same, had Go no library": (
        _GO_ANEW.format(cache="/tmp/g0", flags="-gcflags=all=-N", before="rm -rf /tmp/g0"),
        _GO_ANEW.format(cache="/tmp/g2", flags="-gcflags=all=-N", before="true"),
    ),
    "go: no symbols": (
        _GO_ANEW.format(cache="/tmp/g1", flags="", before="true"),
        _GO_ANEW.format(cache="/tmp/g1", flags="-ldflags='-s -w'", before="true"),
    ),
    "rust: no debug info, gold": (
        "rustc -g -o /tmp/a main.rs",
        "rustc -Cdebuginfo=0 -Clink-arg=-fuse-ld=gold -o /tmp/a main.rs",
    ),
}
TOOLS = ("g++", "javac", "java", "go", "rustc")
SOURCES = {
    "a.cpp": CPP,
    "Main.java": JAVA,
    "Warm.java": WARM,
    "main.go": HELLO["go"],
    "main.rs": HELLO["rust"],
}


def timed(session: SandboxSession, code: str, language: str) -> float:
    """Return the wall seconds of a run, compiling included."""
    start = time.perf_counter()
    *_, result = session.run(code, language=language)
    took = time.perf_counter() - start
    assert isinstance(result, ExecutionResult)
    if result.status is not Status.OK:
        msg = f"{language}: {result.status}: {result.stderr.text[-500:]}"
        raise SystemExit(msg)
    return took


def medians(runs: int, ways: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Run all ways in turn, so that what else the machine does hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            times[name].append(way())
    return {name: round(statistics.median(each), 4) for name, each in times.items()}


def main() -> None:
    """Measure, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each program (default: 5)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures to a file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "toolchain"
        list(prepare_toolchain(folder))
        Path(scratch).chmod(0o755)
        with open_sandbox(toolchain=folder) as sandbox:
            once = sandbox.open_session(stateful=False)
            took = languages(once, args.runs)
            kept = sandbox.open_session(stateful=True, limits=ROOMY)
            report = {"languages": took, "levers": levers(kept, Path(scratch), args.runs)}
            if "java" in kept.languages:
                report["warm_javac_s"] = warm_javac(kept)
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def languages(session: SandboxSession, runs: int) -> dict[str, float]:
    """Return what a small program takes in each language that is here."""
    here = [name for name in HELLO if name in session.languages]
    ways: dict[str, Callable[[], float]] = {
        name: partial(timed, session, HELLO[name], name) for name in here
    }
    took = medians(runs, ways)
    print(f"{'':32}{'seconds':>9}{'x python':>10}")
    for name, seconds in took.items():
        print(f"{name:32}{seconds:9.3f}{seconds / took['python']:10.1f}")
    return took


def warm_javac(session: SandboxSession) -> dict[str, float]:
    """Return what `javac` takes for a program once it has compiled twenty others."""
    flags = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    command = f"javac -d /tmp/c Warm.java && java {flags} -cp /tmp/c Warm"
    *_, result = session.run(command, language="bash")
    assert isinstance(result, ExecutionResult)
    took = round(statistics.median(map(float, result.stdout.text.split())), 4)
    print(f"{'javac: warm (it is not built)':32}{'':9}{took:9.3f}")
    return {"quick_s": took}


def levers(session: SandboxSession, scratch: Path, runs: int) -> dict[str, dict[str, float]]:
    """Return, for each way to compile quicker, its time, that of the plain way, and the ratio."""
    for name, text in SOURCES.items():
        (scratch / name).write_text(text, encoding="utf-8")
        session.put_file(scratch / name)
    timed(session, "mkdir -p /tmp/c", "bash")
    ways: dict[str, Callable[[], float]] = {}
    for name, pair in LEVERS.items():
        tool = next(word for word in TOOLS if f"{word} " in pair[1])
        probe = session.run(f"command -v {tool}", language="bash")
        *_, result = probe
        assert isinstance(result, ExecutionResult)
        if result.status is Status.OK:
            for which, command in zip(("plain", "quick"), pair, strict=True):
                ways[f"{name}|{which}"] = partial(timed, session, command, "bash")
    took = medians(runs, ways)
    print(f"\n{'':32}{'plain':>9}{'quick':>9}{'ratio':>8}")
    rows = {}
    for name in [key.removesuffix("|plain") for key in took if key.endswith("|plain")]:
        plain, quick = took[f"{name}|plain"], took[f"{name}|quick"]
        rows[name] = {"plain_s": plain, "quick_s": quick, "ratio": round(plain / quick, 2)}
        print(f"{name:32}{plain:9.3f}{quick:9.3f}{plain / quick:8.2f}")
    return rows


if __name__ == "__main__":
    main()
