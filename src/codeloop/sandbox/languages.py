"""The languages that can be run: one row for each way to run one, and which of them are here."""

import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from codeloop.sandbox.jail import root

PATH = "/usr/local/bin:/usr/bin:/bin"  # where the jail has its programs
_SHOWN = ("/usr", "/bin", "/lib", "/lib64")  # what of the host's own tree the jail shows
_VERSION_TIMEOUT_S = 30.0
_NUMBER = re.compile(r"(\d+)\.(\d+)(?:\.\d+)*")


@dataclass(frozen=True, slots=True)
class Language:
    """One way to run a language.

    `{source}`, `{main}` and `{memory_mb}` in a command are the file that the code is saved in,
    Java's main class, and the memory limit. The first word of a command is a tool, searched in
    `PATH`.
    """

    name: str  # as `core.codeblocks.normalise_language` gives it
    source: str = ""  # the file that the code is saved in, in the work directory
    run: tuple[str, ...] = ()
    version: tuple[str, ...] = ()
    package: str = ""  # Debian's, that holds what is missing
    module: str = ""  # of the packages that guests may import; then there is no tool
    compile: tuple[str, ...] = ()
    at_least: tuple[int, int] = (0, 0)  # the version that this way needs
    address_space: bool = True  # False: it reserves more than it uses; only what it uses is counted
    threads: int = 0  # that its runtime or its compiler starts for itself
    out_of_memory: str = ""  # what it says on stderr when it ends for want of memory
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def tools(self) -> tuple[str, ...]:
        """The programs that have to be there."""
        commands = (self.compile, self.run)
        return tuple(command[0] for command in commands if command and command[0][0] != "/")


CPP_FLAGS = ("-std=gnu++20", "-pipe")
CPP_HEADERS = "cpp"  # holds bits/stdc++.h, compiled beforehand
JAVAC_FLAGS = ("-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "-J-Xshare:auto", "-proc:none")
JAVAC_CLASSES = "javac.jsa"  # javac's own classes, parsed beforehand
_JAVA_MEMORY = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xss8m")
_NODE = ("node", "--max-old-space-size={memory_mb}", "--stack-size=3900")
_NODE_MODULES = (("NODE_PATH", "/usr/local/lib/node_modules:/usr/share/nodejs:/usr/lib/nodejs"),)
_NODE_MEMORY = "JavaScript heap out of memory"
_GO_SETTINGS = (
    ("GO111MODULE", "off"),  # so that Debian's packages of Go libraries are found
    ("GOPATH", "/usr/share/gocode"),
    ("GOCACHE", "/tmp/.go-cache"),  # noqa: S108  the guest's own
    ("GOFLAGS", "-buildvcs=false"),
    ("GOTOOLCHAIN", "local"),
    ("GOTELEMETRY", "off"),
    ("CGO_ENABLED", "0"),
)
_BINARY = "/tmp/main"  # noqa: S108  the guest's own
_CLASSES = "/tmp/classes"  # noqa: S108  the guest's own
_SCRIPT = "/tmp/main.cjs"  # noqa: S108  the guest's own

# Python itself is not in the table: it runs in the sandbox's own interpreter, and so does SQL,
# whose row is here for its name and source alone.
TABLE = (
    Language(
        name="javascript",
        source="main.js",
        run=(*_NODE, "{source}"),
        version=("node", "--version"),
        package="nodejs",
        address_space=False,
        threads=16,
        out_of_memory=_NODE_MEMORY,
        environment=_NODE_MODULES,
    ),
    Language(
        name="typescript",
        source="main.ts",
        compile=(
            *("esbuild", "{source}", "--bundle", "--packages=external", "--platform=node"),
            *("--format=cjs", f"--outfile={_SCRIPT}", "--log-level=warning", "--log-limit=20"),
        ),
        run=(*_NODE, _SCRIPT),
        version=("esbuild", "--version"),
        package="nodejs esbuild",
        at_least=(0, 17),
        address_space=False,
        threads=16,
        out_of_memory=_NODE_MEMORY,
        environment=_NODE_MODULES,
    ),
    Language(
        name="typescript",
        source="main.ts",
        run=(*_NODE, "--experimental-strip-types", "--no-warnings", "{source}"),
        version=("node", "--version"),
        package="nodejs esbuild",
        at_least=(22, 6),
        address_space=False,
        threads=16,
        out_of_memory=_NODE_MEMORY,
        environment=_NODE_MODULES,
    ),
    Language(
        name="bash",
        source="main.sh",
        run=("bash", "{source}"),
        version=("bash", "--version"),
        package="bash",
        address_space=False,  # for what it starts
    ),
    Language(
        name="c",
        source="main.c",
        compile=("gcc", "-std=gnu17", "-O1", "-pipe", "-o", _BINARY, "{source}", "-lm"),
        run=(_BINARY,),
        version=("gcc", "--version"),
        package="gcc libc6-dev",
    ),
    Language(
        name="cpp",
        source="main.cpp",
        compile=("g++", *CPP_FLAGS, f"-I{root.TOOLCHAIN}/{CPP_HEADERS}", "-o", _BINARY, "{source}"),
        run=(_BINARY,),
        version=("g++", "--version"),
        package="g++",
        out_of_memory="std::bad_alloc",
    ),
    Language(
        name="java",
        source="Main.java",
        compile=(
            *("javac", *JAVAC_FLAGS, f"-J-XX:SharedArchiveFile={root.TOOLCHAIN}/{JAVAC_CLASSES}"),
            *("-J-Xmx{memory_mb}m", "-J-Xss8m", "-nowarn", "-encoding", "UTF-8"),
            *("-d", _CLASSES, "{source}"),
        ),
        run=("java", *_JAVA_MEMORY, "-Xmx{memory_mb}m", "-ea", "-cp", _CLASSES, "{main}"),
        version=("javac", "-version"),
        package="default-jdk-headless",
        address_space=False,
        threads=48,
        out_of_memory="java.lang.OutOfMemoryError",
    ),
    Language(
        name="rust",
        source="main.rs",
        compile=(
            "rustc",
            "--edition=2021",
            "-Cdebuginfo=0",
            "-Ccodegen-units=1",  # else a thread for each of 16, which a limit may refuse
            "-Awarnings",
            "-o",
            _BINARY,
            "{source}",
        ),
        run=(_BINARY,),
        version=("rustc", "--version"),
        package="rustc",
        address_space=False,
        threads=16,
        out_of_memory="memory allocation of",
    ),
    Language(
        name="go",
        source="main.go",
        compile=("go", "build", "-ldflags=-s -w", "-o", _BINARY, "{source}"),
        run=(_BINARY,),
        version=("go", "version"),
        package="golang-go",
        address_space=False,
        threads=32,
        out_of_memory="out of memory",
        environment=_GO_SETTINGS,
    ),
    Language(
        name="r",
        source="main.R",
        run=("Rscript", "--vanilla", "{source}"),
        version=("Rscript", "--version"),
        package="r-base-core",
        out_of_memory="cannot allocate",
    ),
    Language(
        name="php",
        source="main.php",
        run=(
            "php",
            "-d",
            "memory_limit={memory_mb}M",
            "-d",
            "log_errors=0",
            "-d",
            "display_errors=stderr",
            "{source}",
        ),
        version=("php", "--version"),
        package="php-cli",
        address_space=False,
        out_of_memory="Allowed memory size",
    ),
    Language(
        name="ruby",
        source="main.rb",
        run=("ruby", "{source}"),
        version=("ruby", "--version"),
        package="ruby",
        threads=8,
        out_of_memory="failed to allocate memory",
    ),
    Language(
        name="perl",
        source="main.pl",
        run=("perl", "{source}"),
        version=("perl", "-e", "printf '%vd', $^V"),
        package="perl",
        out_of_memory="Out of memory",
    ),
    Language(name="duckdb", module="duckdb", out_of_memory="OutOfMemoryException"),
)
BUILT_IN = ("python", "sql")  # these run in the interpreter that codeloop itself runs on
ENDINGS = {
    ".py": "python",
    ".js": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".ts": "typescript",
    ".sh": "bash",
    ".sql": "sql",
    ".c": "c",
    ".cpp": "cpp",
    ".cc": "cpp",
    ".java": "java",
    ".rs": "rust",
    ".go": "go",
    ".r": "r",
    ".php": "php",
    ".rb": "ruby",
    ".pl": "perl",
}
NAMES = (*BUILT_IN, *dict.fromkeys(row.name for row in TABLE))


def find_languages(guest_packages: Path | None = None) -> dict[str, Language]:
    """Return the rows of the table that can be run on this machine, by their language."""
    found: dict[str, Language] = {}
    for row in TABLE:
        if row.name not in found and _is_here(row, guest_packages):
            found[row.name] = _with_quick_linker(row)
    return found


def version_of(row: Language) -> str:
    """Return the version of a row's tool that is here, or an empty text if it does not say."""
    tool = find_tool(row.version[0]) if row.version else None
    if tool is None:
        return ""
    try:
        said = subprocess.run(
            [tool, *row.version[1:]],
            capture_output=True,
            timeout=_VERSION_TIMEOUT_S,
            check=False,
            env={"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    number = _NUMBER.search((said.stdout + said.stderr).decode("utf-8", "replace"))
    return number[0] if number else ""


def find_tool(name: str) -> str | None:
    """Return where the jail has a program of the host's, or None if it has not."""
    path = shutil.which(name, path=PATH)
    if path is None:
        return None
    real = Path(path).resolve()
    return path if any(real.is_relative_to(shown) for shown in _SHOWN) else None


def install_hint(language: str) -> str:
    """Return one line on what would make a language run here."""
    for row in TABLE:
        if row.name == language and row.module:
            return f"{language} needs the package {row.module} among those that guests may import"
        if row.name == language:
            missing = [tool for tool in row.tools if find_tool(tool) is None] or row.tools
            return (
                f"{language} needs {' and '.join(missing)}, which the jail does not find in "
                f"{PATH}: apt-get install {row.package}"
            )
    return f"{language or 'this'}: no such language; there are {', '.join(NAMES)}"


def _with_quick_linker(row: Language) -> Language:
    flag = {"g++": "-fuse-ld=gold", "rustc": "-Clink-arg=-fuse-ld=gold"}.get(
        row.compile[0] if row.compile else ""
    )
    if flag is None or find_tool("ld.gold") is None:
        return row
    return replace(row, compile=(*row.compile, flag))


def _is_here(row: Language, guest_packages: Path | None) -> bool:
    if row.module:
        return guest_packages is not None and (guest_packages / row.module).is_dir()
    if any(find_tool(tool) is None for tool in row.tools):
        return False
    if row.at_least == (0, 0):
        return True
    number = _NUMBER.match(version_of(row))
    return number is not None and (int(number[1]), int(number[2])) >= row.at_least
