"""Planted faults: each kind where it applies, and nothing else of the source touched."""

import ast
import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.dataset.mutation.faults import Family
from codeloop.dataset.mutation.kinds import BY_NAME, KINDS, places
from codeloop.dataset.mutation.source import Edit, Source, edited
from codeloop.loop.prompts import variants

# kind, a right source, a line (or lines) that it has with the fault in it
EXAMPLES = [
    ("range_end", "def f(n):\n    return list(range(n))\n", "    return list(range(n - 1))"),
    ("range_start", "def f(n):\n    return list(range(1, n))\n", "    return list(range(2, n))"),
    ("index", "def f(a, i):\n    return a[i]\n", "    return a[i + 1]"),
    ("slice_bound", "def f(a):\n    return a[1:]\n", "    return a[2:]"),
    ("boundary", "def f(a):\n    return a < 3\n", "    return a <= 3"),
    ("constant", "def f(a):\n    return a + 7\n", "    return a + 8"),
    ("comparison", "def f(a):\n    return a == 3\n", "    return a != 3"),
    ("arithmetic", "def f(a, b):\n    return a - b\n", "    return a + b"),
    ("boolean", "def f(a, b):\n    return a and b\n", "    return a or b"),
    ("negation", "def f(a):\n    if a:\n        return 1\n", "    if not a:"),
    ("min_max", "def f(a):\n    return max(a)\n", "    return min(a)"),
    ("float_division", "def f(a):\n    return a // 2\n", "    return a / 2"),
    ("identity", "def f(a, b):\n    return a == b\n", "    return a is b"),
    (
        "base_case",
        "def f(n):\n    if n < 2:\n        return n\n    return f(n - 1)\n",
        "def f(n):\n    return f(n - 1)",
    ),
    (
        "guard",
        "def f(a):\n    if not a:\n        return 0\n    return a[0]\n",
        "def f(a):\n    return a[0]",
    ),
    ("swapped_branches", "def f(a):\n    return 1 if a else 2\n", "    return 2 if a else 1"),
    (
        "elif_as_if",
        "def f(a):\n    if a:\n        x = 1\n    elif not a:\n        x = 2\n    return x\n",
        "    if not a:",
    ),
    (
        "early_return",
        "def f(a):\n    t = 0\n    for x in a:\n        t += x\n    return t\n",
        "        t += x\n        return t",
    ),
    ("dropped_return", "def f(a):\n    b = a\n    return b + 1\n", "    b + 1"),
    ("loop_exit", "def f(a):\n    for x in a:\n        break\n", "        continue"),
    (
        "endless_loop",
        "def f(n):\n    while n:\n        print(n)\n        n -= 1\n",
        "    while n:\n        print(n)",
    ),
    ("initial_value", "def f(a):\n    t = 0\n    return t + a\n", "    t = 1"),
    ("lost_sum", "def f(a):\n    t = 0\n    t += a\n    return t\n", "    t = a"),
    (
        "reset_in_loop",
        "def f(a):\n    t = 0\n    for x in a:\n        t += x\n    return t\n",
        "    for x in a:\n        t = 0\n        t += x",
    ),
    ("split_assignment", "def f(a, b):\n    a, b = b, a\n", "    a = b\n    b = a"),
    ("swapped_arguments", "def f(a, b):\n    return g(a, b)\n", "    return g(b, a)"),
    ("missing_conversion", "def f(a):\n    return int(a)\n", "    return a"),
    ("returns_text", "def f(a):\n    return a\n", "    return str(a)"),
    ("missing_set", "def f(a):\n    return set(a)\n", "    return list(a)"),
    ("dropped_abs", "def f(a, b):\n    return abs(a - b)\n", "    return (a - b)"),
    ("dropped_sort", "def f(a):\n    return sorted(a)\n", "    return list(a)"),
    ("dropped_reverse", "def f(a):\n    return a[::-1]\n", "    return a"),
    ("dropped_key", "def f(a):\n    return max(a, key=len)\n", "    return max(a)"),
    ("wrong_method", "def f(a):\n    return a.lower()\n", "    return a.upper()"),
    ("missing_call", "def f(a):\n    return a.lower()\n", "    return a.lower"),
    ("misspelt_name", "def f(word):\n    return word\n", "    return wod"),
    ("misspelt_method", "def f(a):\n    return a.lower()\n", "    return a.loer()"),
    ("missing_import", "import re\n\nx = re\n", "x = re"),
    (
        "missing_self",
        "class A:\n    def f(self, a):\n        return self.g(a)\n",
        "        return g(a)",
    ),
    (
        "missing_nonlocal",
        "def f():\n    t = 0\n    def g():\n        nonlocal t\n        t = 1\n    g()\n",
        "    def g():\n        t = 1",
    ),
    (
        "wrong_variable",
        "def f(a):\n    for i in a:\n        for j in a:\n            print(i)\n",
        "            print(j)",
    ),
    ("mutable_default", "def f(a):\n    r = []\n    return r\n", "def f(a, r=[]):\n    return r"),
    ("alias", "def f(a):\n    return a[:]\n", "    return a"),
    (
        "shared_rows",
        "def f(n):\n    return [[0] * n for _ in range(n)]\n",
        "    return [[0] * n] * n",
    ),
    ("missing_colon", "def f(a):\n    return a\n", "def f(a)"),
    ("missing_bracket", "def f(a):\n    return g(a)\n", "    return g(a"),
    ("missing_comma", "def f(a):\n    return g(a, 1)\n", "    return g(a 1)"),
    ("indentation", "def f(a):\n    b = a\n    return b\n", "     return b"),
    ("unclosed_quote", "def f():\n    return 'a'\n", "    return 'a"),
    ("single_equals", "def f(a):\n    if a == 1:\n        return a\n", "    if a = 1:"),
]
SOURCES = [source for _, source, _ in EXAMPLES]


def planted(kind: str, text: str) -> list[str]:
    source = Source(text)
    found = BY_NAME[kind].places(source)
    return [fault.plant(text) for fault in found if BY_NAME[kind].fits(fault, source)]


@pytest.mark.parametrize(("kind", "source", "faulty"), EXAMPLES, ids=[row[0] for row in EXAMPLES])
def test_a_kind_makes_the_fault_that_it_is_named_for(kind: str, source: str, faulty: str) -> None:
    assert any(f"{faulty}\n" in text for text in planted(kind, source))


def test_every_kind_has_an_example_here() -> None:
    assert {kind for kind, _, _ in EXAMPLES} == set(BY_NAME)
    assert len(KINDS) >= 20


@given(st.sampled_from(SOURCES), st.data())
def test_lines_that_a_fault_does_not_touch_stay_as_they_are(text: str, data: st.DataObject) -> None:
    text = f"# é, a comment with  odd   spacing\n{text}\n\n# the end\t\n"
    found = [fault for faults in places(Source(text)).values() for fault in faults]
    fault = data.draw(st.sampled_from(found))
    faulty = fault.plant(text)
    touched = {
        line
        for edit in fault.edits
        for line in range(
            text.count("\n", 0, edit.start), text.count("\n", 0, max(edit.start, edit.end)) + 1
        )
    }
    kept = [line for at, line in enumerate(text.split("\n")) if at not in touched]
    left = faulty.split("\n")
    same = difflib.SequenceMatcher(None, kept, left, autojunk=False).get_matching_blocks()
    assert sum(block.size for block in same) == len(kept)


@given(st.sampled_from(SOURCES), st.data())
def test_a_fault_that_fits_is_a_program_unless_it_is_one_of_syntax(
    text: str, data: st.DataObject
) -> None:
    source = Source(text)
    pairs = [
        (kind, fault) for kind in KINDS for fault in kind.places(source) if kind.fits(fault, source)
    ]
    kind, fault = data.draw(st.sampled_from(pairs))
    faulty = fault.plant(text)
    if kind.family is Family.SYNTAX:
        with pytest.raises(SyntaxError):
            ast.parse(faulty)
    else:
        assert ast.dump(ast.parse(faulty)) != ast.dump(ast.parse(text))


@given(st.text(max_size=60), st.data())
def test_edits_change_what_they_name_and_nothing_else(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), min_size=4, max_size=4)))
    one, two = Edit(cuts[0], cuts[1], "<1>"), Edit(cuts[2], cuts[3], "<2>")
    expected = f"{text[: cuts[0]]}<1>{text[cuts[1] : cuts[2]]}<2>{text[cuts[3] :]}"
    if one.start < two.start:
        assert edited(text, (two, one)) == expected


def test_every_fault_of_every_example_has_words() -> None:
    ways = variants("mutation")
    for text in SOURCES:
        for faults in places(Source(text)).values():
            for fault in faults:
                name = f"cause_{fault.kind}{f'_{fault.form}' if fault.form else ''}"
                values = {"right": fault.right, "wrong": fault.wrong, "name": fault.name}
                assert len(ways[name]) >= 3, name
                for way in ways[name]:
                    assert "``" not in way.substitute(values), name


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_annotations_are_left_alone(kind: str) -> None:
    text = "def f(words: List[int]) -> Dict[str, int]:\n    return words\n"
    for faulty in planted(kind.name, text):  # type: ignore[attr-defined]
        assert "List[int]" in faulty or "words: List" not in faulty
