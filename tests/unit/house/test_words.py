"""One concept, one word; no file or class that may hold anything; nothing of one machine."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "src" / "codeloop"
SOURCES = sorted(PACKAGE.rglob("*.py"))
# the OpenAI-compatible API alone speaks OpenAI's words
OWN_WORDS = [p for p in (*SOURCES, *sorted(PACKAGE.rglob("*.md"))) if "server" not in p.parts]

# the words of the glossary's "not" column that mean nothing else
FORBIDDEN = re.compile(
    r"\bdialogs?\b|utterance|conversation|trajector|\bconvos?\b|error_flag", re.IGNORECASE
)
VAGUE_FILES = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}
VAGUE_CLASS = re.compile(r"^(Abstract|Base)|(Manager|Helper|Handler|Base|Utils?|Mixin)$")

# Split, so that this file passes its own test. `/work` is also the guest's folder in the jail.
PLACES = (
    ("pypi", ".org"),
    ("python", "hosted"),
    ("npm", "js.org"),
    ("npm", "js.com"),
    ("deb.", "debian.org"),
    ("/work/", "main/"),
    ("/work/", "shared/"),
    (".lib", "rary/"),
    ("/root/", ".pyenv"),
    ("/opt/", "pypi"),
)
ONE_MACHINE = re.compile("|".join(re.escape(first + second) for first, second in PLACES))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("needs a git checkout")
    paths = [ROOT / raw for raw in done.stdout.decode().split("\0") if raw]
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize("path", OWN_WORDS, ids=name)
def test_a_concept_has_one_word(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert not [f"{n}: {line}" for n, line in enumerate(lines, 1) if FORBIDDEN.search(line)]


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_names_say_what_a_thing_is(path: Path) -> None:
    assert path.stem not in VAGUE_FILES
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert not [each for each in classes if VAGUE_CLASS.search(each)]


def test_no_tracked_file_names_a_registry_host_or_a_path_of_one_machine() -> None:
    found = []
    for path in tracked():
        text = path.read_bytes().decode("utf-8", errors="replace")
        found += [f"{name(path)}: {match[0]}" for match in ONE_MACHINE.finditer(text)]
    assert not found
