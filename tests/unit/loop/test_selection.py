import pytest

from codeloop.core.dialogue import Finish, Skipped
from codeloop.loop.selection import select_cells

PYTHON = frozenset({"python"})


def chosen(reply: str, languages: frozenset[str] = PYTHON) -> list[tuple[str, Skipped | None]]:
    return [(c.language, c.skipped) for c in select_cells(reply, languages, Finish.STOP)]


def block(info: str, code: str = "print(1)") -> str:
    return f"```{info}\n{code}\n```\n"


@pytest.mark.parametrize("info", ["python", "py", "Python", "python3", "ipython", "{.python}"])
def test_a_python_block_runs_however_its_language_is_written(info: str) -> None:
    assert chosen(block(info)) == [("python", None)]


@pytest.mark.parametrize(
    ("info", "code", "why"),
    [
        ("output", "3", Skipped.OUTPUT),
        ("text", "print(1)", Skipped.OUTPUT),
        ("console", "$ ls", Skipped.TRANSCRIPT),
        ("pycon", ">>> 1", Skipped.TRANSCRIPT),
        ("python", ">>> 1 + 1\n2", Skipped.TRANSCRIPT),
        ("bash", "$ ls\na.txt", Skipped.TRANSCRIPT),
        ("bash", "pip install x", Skipped.INSTALL),
        ("sh", "# first\nsudo apt-get install -y x\n\npython3 -m pip install y", Skipped.INSTALL),
        ("python", "!pip install x\n%pip install y", Skipped.INSTALL),
        ("bash", "pip install x\npython a.py", Skipped.NO_RUNNER),
        ("javascript", "console.log(1)", Skipped.NO_RUNNER),
        ("json", "{}", Skipped.NO_RUNNER),
        ("", "Yes", Skipped.UNLABELLED),
        ("", "42", Skipped.UNLABELLED),
        ("", "# Title", Skipped.UNLABELLED),
        ("", "some words", Skipped.UNLABELLED),
        ("", "[1, 2, 3]", Skipped.UNLABELLED),
    ],
)
def test_what_is_not_to_be_run_is_not_and_the_record_says_why(
    info: str, code: str, why: Skipped
) -> None:
    assert [skipped for _, skipped in chosen(block(info, code))] == [why]


def test_a_block_without_a_language_that_is_a_program_runs() -> None:
    assert chosen(block("", "x = 1\nprint(x)")) == [("python", None)]


def test_beside_a_labelled_block_one_without_a_language_is_its_output() -> None:
    assert chosen(block("python") + block("", "print(1)")) == [
        ("python", None),
        ("", Skipped.UNLABELLED),
    ]


def test_a_language_that_the_session_has_runs() -> None:
    assert chosen(block("js"), frozenset({"javascript"})) == [("javascript", None)]


def test_an_unclosed_block_runs_if_the_reply_ended_by_itself() -> None:
    reply = "```python\nprint(1)"
    assert select_cells(reply, PYTHON, Finish.STOP)[0].skipped is None
    assert select_cells(reply, PYTHON, Finish.LENGTH)[0].skipped is Skipped.CUT_OFF


@pytest.mark.parametrize("code", ["x = (" * 500, "\0", "é" * 10, "-" * 3000 + "1"])
def test_text_that_breaks_the_parser_is_not_run(code: str) -> None:
    assert chosen(block("", code))[0][1] is Skipped.UNLABELLED
