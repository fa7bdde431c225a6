"""The levels that read: what they find of a problem in a row, and what they leave alone."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.dialogue import Dialogue, Feedback, Source, Turn
from codeloop.core.problem import CheckTests, FunctionTests, Problem, StdioTests
from codeloop.dataset.decontamination.leaks import Decontamination, Leak, Level, Report, clean
from codeloop.dataset.decontamination.passages import passage
from codeloop.dataset.decontamination.probes import Probe, probes
from codeloop.dataset.decontamination.wording import Nearest, fingerprints, texts_of
from codeloop.dataset.records import Example, Query, Way

PROMPT = '''def longest_rise(values):
    """Return the length of the longest stretch of a list in which each number is greater.

    >>> longest_rise([1, 2, 1, 2, 3])
    3
    """
'''
BODY = """\
    best = here = 0
    last = None
    for value in values:  # once through
        here = here + 1 if last is not None and value > last else 1
        best = max(best, here)
        last = value
    return best
"""
PROBLEM = Problem(
    "Own/1",
    PROMPT,
    (CheckTests("def check(candidate):\n    assert candidate([1, 2, 1]) == 2\n"),),
    "longest_rise",
    reference=PROMPT + BODY,
)
TRIVIAL = Problem(
    "Own/2",
    'def add(x, y):\n    """Add two numbers."""\n',
    (CheckTests("assert add(1, 2) == 3"),),
    "add",
    reference="def add(x, y):\n    return x + y\n",
)
RENAMED = """\
def f(xs):
    top = run = 0
    before = None
    for x in xs:
        run = (run + 1) if ((before is not None) and (x > before)) else 1
        top = max(top, run)
        before = x
    return top
"""


def levels(row: Query | Example) -> list[Level]:
    found = Decontamination([PROBLEM, TRIVIAL], thorough=True).leaks(row)
    assert all(each.problem == "Own/1" for each in found)
    return [each.level for each in found]


@pytest.mark.parametrize(
    ("row", "level"),
    [
        (Query(PROMPT, BODY), Level.WHOLE),
        (Query("Explain.", f"```python\n{PROMPT}{BODY}```"), Level.WHOLE),
        (
            Query(
                "Please: return the   Length of the longest stretch of a list in\nwhich each "
                "number is greater."
            ),
            Level.WHOLE,
        ),
        (
            Query("Return the length of the longest stretch of a list in which each number is odd"),
            Level.RUNS,
        ),
        (Query("Explain.", f"```python\n{RENAMED}```"), Level.STRUCTURE),
        (Query("Explain.", RENAMED), Level.STRUCTURE),
    ],
)
def test_a_leak_is_found_at_its_level(row: Query, level: Level) -> None:
    assert level in levels(row)


def test_a_leak_in_a_later_turn_of_an_example_is_found() -> None:
    turns = (
        Turn("Of course.").with_feedback(Feedback(Source.PERSON, "Show me.")),
        Turn(f"```python\n{RENAMED}```"),
    )
    dialogue = Dialogue.ask("Hello")
    for turn in turns:
        dialogue = dialogue.with_turn(turn)
    example = Example(dialogue, Way.SIMULATION, (), "s", "l", "python", ())
    assert levels(example) == [Level.STRUCTURE]


@pytest.mark.parametrize(
    "row",
    [
        Query("Add two numbers.", "```python\ndef add(x, y):\n    return x + y\n```"),
        Query("Sort a list.", "```python\ndef f(xs):\n    return sorted(xs)\n```"),
        Query("What is the length of a list?", "```python\nnot python at all (\n```"),
        Query("", ""),
    ],
)
def test_what_is_trivial_or_other_is_no_leak(row: Query) -> None:
    assert levels(row) == []


def test_rows_that_leak_go_aside_and_all_are_counted() -> None:
    rows = [Query("Explain.", RENAMED), Query("Sort."), Query(PROMPT, BODY)]
    wanted = Decontamination([PROBLEM, TRIVIAL])
    report = Report(wanted.levels)
    aside: list[tuple[str, tuple[Leak, ...]]] = []
    kept = list(clean(rows, wanted, report, lambda row, leaks: aside.append((row.id, leaks))))
    assert kept == [rows[1]]
    assert [name for name, _ in aside] == [rows[0].id, rows[2].id]
    facts = report.as_json()
    assert (facts["rows"], facts["leaking"]) == (3, 2)
    assert facts["by_level"] == {"whole": 1, "runs": 0, "structure": 1}
    assert facts["by_problem"] == {"Own/1": 2}


def test_a_problem_is_told_by_its_words_without_examples_and_its_body_without_docstring() -> None:
    texts = texts_of(PROBLEM)
    assert texts.prose[:4] == ("return", "the", "length", "of")
    assert ">" not in texts.prose
    assert texts.body[:3] == ("best", "=", "here")
    asked = texts_of(
        Problem("M/1", '"""\nAdd two numbers.\nassert add(1, 2) == 3\n"""\n', (), "add")
    )
    assert asked.prose == ("add", "two", "numbers", ".")


NAMES = st.sampled_from(["a", "b", "total", "xs"])


@given(st.permutations(["alpha", "beta", "gamma", "delta", "omega", "kappa"]))
def test_names_do_not_count_in_a_fingerprint(names: list[str]) -> None:
    function, values, best, here, last, value = names
    renamed = BODY
    for old, new in {
        "values": f"{values}_1",
        "best": f"{best}_2",
        "here": f"{here}_3",
        "last": f"{last}_4",
        "value ": f"{value}_5 ",
        "value\n": f"{value}_5\n",
    }.items():
        renamed = renamed.replace(old, new)
    (one,) = fingerprints(ast.parse(PROMPT + BODY))
    (two,) = fingerprints(ast.parse(f"def {function}({values}_1):\n{renamed}"))
    assert one[1] == two[1]


def test_another_operation_is_another_fingerprint() -> None:
    (one,) = fingerprints(ast.parse(RENAMED))
    (two,) = fingerprints(ast.parse(RENAMED.replace("x > before", "x < before")))
    assert one[1] != two[1]


def test_the_code_of_a_row_is_each_piece_and_all_of_them() -> None:
    answer = "```python\ndef a(): pass\n```\n```\ndef b(): pass\n```\n```js\ndef c\n```"
    assert passage(Query("Q", answer)).codes == (
        "def a(): pass\n",
        "def b(): pass\n",
        "def a(): pass\n\n\ndef b(): pass\n",
    )


def test_probes_are_calls_with_answers_that_differ() -> None:
    shown = "\n".join(f"assert f({n}, [1]) == {n % 2}" for n in range(6))
    shown += "\nassert f(9, [1]) == g(1)\nassert g(1) == 2"
    problem = Problem("P", "", (CheckTests(shown),), "f")
    assert probes(problem) == (Probe((0, [1]), 0), Probe((1, [1]), 1), Probe((2, [1]), 0))
    given_answers = Problem("P", "", (FunctionTests(((1,), (2,)), (True, False)),), "f")
    assert probes(given_answers) == (Probe((1,), True), Probe((2,), False))
    assert probes(Problem("P", "", (StdioTests(()),))) == ()


def test_the_nearest_problem_shares_rare_words() -> None:
    nearest = Nearest([PROBLEM, TRIVIAL])
    assert nearest.find("the longest stretch", 1)[0][0] == "Own/1"
    assert nearest.find("nothing shared whatsoever", 2) == []
