"""What a cell asks to have installed, and what of it is refused without asking anyone."""

from pathlib import Path

import pytest

from codeloop.sandbox.stateful.installs import InstallPolicy, bring, find, present_in

OFF = InstallPolicy(present=frozenset({"numpy", "python-dateutil"}))


def words(code: str) -> tuple[str, ...] | None:
    wanted = find(code)
    return None if wanted is None else wanted.words


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("%pip install six", ("six",)),
        ("!pip install -q six 'numpy>=2'  # now", ("-q", "six", "numpy>=2")),
        ("x = 1\n  !python3 -m pip install a\n%pip3 install b", ("a", "b")),
        ("pip = 1; x %pip", None),
        ("print('%pip install six')", None),
        ("%pip installed", None),
        ("%pip install 'half", (" 'half",)),
    ],
)
def test_lines_that_install_are_found(code: str, expected: tuple[str, ...] | None) -> None:
    assert words(code) == expected


def test_the_rest_of_the_cell_keeps_its_lines() -> None:
    wanted = find("a = 1\n%pip install six\nif a:\n    !pip install b\nc = 2")
    assert wanted is not None
    lines = wanted.code_with("it's \\1 done").split("\n")
    assert [lines[at] for at in (0, 2, 3, 4)] == ["a = 1", "if a:", "    pass", "c = 2"]
    compile("\n".join(lines), "cell", "exec")


@pytest.mark.parametrize(
    "word",
    [
        "--index-url",
        "-r",
        "-e",
        "./six",
        "/etc/passwd",
        "..",
        "https://host/x.whl",
        "six@https://host/x.whl",
        "git+https://host/x",
        "six; python_version>'3'",
        "six\n--pre",
        "",
        "é",
    ],
)
def test_nothing_but_a_name_is_passed_on(word: str, tmp_path: Path) -> None:
    policy = InstallPolicy(str(tmp_path))
    said = bring(policy, [word], tmp_path, lambda: False)
    assert said is not None
    assert "only names of packages" in said


def test_what_is_there_needs_no_policy(tmp_path: Path) -> None:
    assert bring(OFF, ["-q", "NumPy", "python_dateutil"], tmp_path, lambda: False) is None
    said = bring(OFF, ["numpy==1.0", "six"], tmp_path, lambda: False)
    assert said is not None
    assert "['numpy==1.0', 'six']" in said


def test_names_and_numbers_are_bounded(tmp_path: Path) -> None:
    policy = InstallPolicy(str(tmp_path), names=frozenset({"Good_One"}))
    said = bring(policy, ["bad"], tmp_path, lambda: False)
    assert said == "not among the packages that may be installed here: ['bad']"
    assert "more than 20" in str(bring(policy, ["good-one"] * 21, tmp_path, lambda: False))


def test_what_is_installed_is_read_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "python_dateutil-4.0.0.dist-info").mkdir()
    assert present_in(tmp_path) == {"python-dateutil"}
    assert present_in(None) == frozenset()
