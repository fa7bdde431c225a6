"""The package stays small: rule 10 of the design."""

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "src" / "codeloop"
SOURCES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file())


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def over(counts: Counter[str], budget: int) -> dict[str, int]:
    return {where: count for where, count in counts.items() if count > budget}


def test_a_folder_has_at_most_20_files_a_part_60_and_the_package_420() -> None:
    assert not over(Counter(name(path.parent) for path in SOURCES), 20)
    parts = Counter(path.relative_to(PACKAGE).parts[0] for path in SOURCES)
    assert parts.pop("dataset") <= 80  # decision 7
    assert parts.pop("server") <= 80  # decision 13
    assert not over(parts, 60)
    assert len(SOURCES) <= 420


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_file_has_at_most_400_lines_and_a_function_at_most_60(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    long = {
        node.name: lines
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > 60
    }
    assert not long


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_a_script_is_short_and_says_what_it_is_for(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("#!/bin/")
    assert lines[1].startswith("# ")
    assert 5 <= len(lines) <= 15
    assert path.stat().st_mode & 0o111, "not executable"


def test_architecture_and_contributing_stay_readable_in_one_go() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()) <= 200
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 60
