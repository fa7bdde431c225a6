"""Every import contract holds, and fires when it is broken."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "src" / "codeloop"
GUESTS = {
    "codeloop.sandbox.jail": PACKAGE / "sandbox/jail",
    "codeloop.judge.guest": PACKAGE / "judge/guest",
}
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"

LAYERS = "Imports point down"
WIRING = "Only cli and server choose a model or a sandbox"
PURE = "core, loop and judge use the standard library only"
GUEST = "What runs on the jail's side imports nothing of ours but its siblings"
ACYCLIC = "No cycles among siblings, at any depth"

# the file that gets a line, the line, the contract that must say no, and what it must say
FAULTS = [
    ("core/dialogue.py", "import codeloop.loop", LAYERS, "core.dialogue -> codeloop.loop "),
    ("models/__init__.py", "import codeloop.sandbox", LAYERS, "models -> codeloop.sandbox "),
    ("sandbox/__init__.py", "def late(): import codeloop.cli", LAYERS, "sandbox -> codeloop.cli "),
    ("utils.py", "'A module without a place.'", LAYERS, "- codeloop.utils "),
    ("loop/__init__.py", "def late(): import codeloop.models", WIRING, "loop -> codeloop.models "),
    ("loop/__init__.py", "import urllib3", PURE, "codeloop.loop -> urllib3 "),
    ("core/execution.py", "import rich", PURE, "codeloop.core.execution -> rich "),
    ("sandbox/jail/syscalls.py", "import codeloop.core.errors", GUEST, "-> codeloop.core.errors "),
    ("sandbox/jail/syscalls.py", "import urllib3", GUEST, "jail.syscalls -> urllib3 "),
    (
        "judge/__init__.py",
        "def late(): import codeloop.models",
        WIRING,
        "judge -> codeloop.models ",
    ),
    (
        "evals/__init__.py",
        "def late(): import codeloop.sandbox",
        WIRING,
        "evals -> codeloop.sandbox ",
    ),
    (
        "dataset/__init__.py",
        "def late(): import codeloop.models",
        WIRING,
        "dataset -> codeloop.models ",
    ),
    (
        "dataset/records.py",
        "import codeloop.evals.run",
        LAYERS,
        "dataset.records -> codeloop.evals",
    ),
    ("judge/judging.py", "import urllib3", PURE, "codeloop.judge.judging -> urllib3 "),
    ("judge/guest/wire.py", "import codeloop.core.errors", GUEST, "-> codeloop.core.errors "),
    ("core/execution.py", "import codeloop.core.dialogue", ACYCLIC, "- .execution -> .dialogue "),
]


def lint(folder: Path) -> tuple[int, str]:
    """Return the linter's exit status and its report."""
    done = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def section(report: str, contract: str) -> str:
    """Return what the report says of one broken contract, its white space evened out."""
    parts = re.split(r"^(.+)\n-{5,}\n", report, flags=re.MULTILINE)
    return " ".join(parts[parts.index(contract) + 1].split()) if contract in parts else ""


def test_every_contract_holds() -> None:
    status, report = lint(ROOT)
    assert status == 0, report


def test_every_contract_fires(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    package = tmp_path / "src" / "codeloop"
    leave_out = shutil.ignore_patterns("__pycache__", "static")
    shutil.copytree(ROOT / "src" / "codeloop", package, ignore=leave_out)
    for place, line, _, _ in FAULTS:
        with (package / place).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
    _, report = lint(tmp_path)
    silent = [fault for fault in FAULTS if fault[3] not in section(report, fault[2])]
    assert not silent, report


@pytest.mark.parametrize(
    ("package", "path"),
    [(package, path) for package, folder in GUESTS.items() for path in sorted(folder.glob("*.py"))],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_jail_s_side_needs_the_standard_library_only(package: str, path: Path) -> None:
    """The contract cannot name `codeloop.sandbox`, of which the jail's side is a part."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        for name in names:
            sibling = name.startswith(package)
            assert sibling or name.partition(".")[0] in sys.stdlib_module_names, name


def test_every_contract_is_tried_here() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    declared = text[text.index("[tool.importlinter]") :]
    assert set(re.findall(r'^name = "(.+)"$', declared, re.MULTILINE)) == {
        each[2] for each in FAULTS
    }
