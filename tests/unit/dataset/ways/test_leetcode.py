"""Exercises become dialogues: code byte for byte, prose by a model that cannot alter it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.codeblocks import find_blocks
from codeloop.core.dialogue import Role
from codeloop.dataset.failure import Failure, FailureKind
from codeloop.dataset.records import Example, Exercise, Solution, Way
from codeloop.dataset.ways.leetcode import (
    ExerciseSettings,
    different,
    follow_up,
    related,
    similar,
    whole_sentences,
    with_code,
)
from codeloop.models.scripted import ScriptedModel

PYTHON = Solution("python", "def f(x):\n    return x\t+ 1  \n", "O(n^2)", "O(1)")
FASTER = Solution("python", "def f(x):\r\n    return 1 + x", "O(n log n)", "O(1)")
JAVA = Solution("java", "class A { /* ``` */ }\n")


def exercise(
    name: str, *solutions: Solution, tags: tuple[str, ...] = (), links: tuple[str, ...] = ()
) -> Exercise:
    held = solutions or (PYTHON,)
    return Exercise(name, name, f"About {name}.", "Easy", tags, links, held, None, "set", "MIT")


@given(st.text(max_size=60), st.sampled_from(["python", "cpp"]))
def test_a_solution_stands_in_a_reply_byte_for_byte(code: str, language: str) -> None:
    reply = with_code("Some words.", Solution(language, code))
    end = "" if code.endswith("\n") else "\n"
    assert f"{language}\n{code}{end}`" in reply
    if "\r" not in code and "`" not in code and "~" not in code and '"' not in code:
        (block,) = find_blocks(reply)
        assert block.code == f"{code}{end}"


def test_related_exercises_are_solved_one_after_the_other() -> None:
    model = ScriptedModel(["In Python, add one.", "Again, with more."])
    made = similar([exercise("A"), exercise("B", FASTER)], model)
    assert isinstance(made, Example)
    assert made.way is Way.SIMILAR
    first, second = made.dialogue.turns
    assert made.dialogue.opening[0].role is Role.USER
    assert first.reply == f"In Python, add one.\n\n```python\n{PYTHON.code}```"
    assert "About B." in first.feedback[0].text
    assert FASTER.code in second.reply
    assert "About A." in model.calls[1].messages[0].content, "it knows what was asked"
    assert "In Python, add one." not in model.calls[1].messages[0].content
    assert (made.source, made.licence, made.models) == ("set", "MIT", ("scripted",))


def test_follow_ups_ask_for_what_differs() -> None:
    model = ScriptedModel(["One.", "Two.", "Three."])
    made = follow_up(exercise("A", PYTHON, FASTER, JAVA, PYTHON), model)
    assert isinstance(made, Example)
    asked = [turn.feedback[0].text for turn in made.dialogue.turns[:-1]]
    assert {"Java" in text for text in asked} == {True, False}
    assert any("O(n" in text for text in asked)
    assert len(made.dialogue.turns) == 3


def test_the_words_say_which_way_the_cost_goes() -> None:
    settings = ExerciseSettings(turns=2)
    made = follow_up(exercise("A", PYTHON, FASTER), ScriptedModel(["a.", "b."]), settings)
    assert isinstance(made, Example)
    text = made.dialogue.turns[0].feedback[0].text
    slow_first = PYTHON.code in made.dialogue.turns[0].reply
    assert text == (
        "That takes O(n^2). Is there a way in O(n log n)?"
        if slow_first
        else "Is there a simpler way, even if it takes O(n^2)?"
    )


def test_solutions_that_do_not_differ_are_no_follow_up() -> None:
    assert len(different(exercise("A", PYTHON, PYTHON), 3)) == 1
    made = follow_up(exercise("A", PYTHON, PYTHON), ScriptedModel([]))
    assert isinstance(made, Failure)
    assert made.kind is FailureKind.TOO_FEW


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("```python\nx = 1\n```", FailureKind.ALTERED),
        ("", FailureKind.EMPTY_REPLY),
        ("words that have no end", FailureKind.CUT_OFF),
    ],
)
def test_a_reply_that_is_no_prose_is_a_failure(reply: str, kind: FailureKind) -> None:
    made = similar([exercise("A"), exercise("B")], ScriptedModel([reply, reply]))
    assert isinstance(made, Failure)
    assert made.kind is kind


def test_words_that_were_said_of_another_program_are_a_failure() -> None:
    made = similar([exercise("A"), exercise("B")], ScriptedModel(["It adds.", "It adds."]))
    assert isinstance(made, Failure)
    assert (made.kind, made.note) == (FailureKind.REPEATED, "It adds.")


def test_code_that_a_model_adds_to_its_prose_is_left_out() -> None:
    model = ScriptedModel(["Add one.\n```python\ndef g(): pass\n```\nDone.", "Add two."])
    made = similar([exercise("A"), exercise("B")], model)
    assert isinstance(made, Example)
    assert "def g" not in made.dialogue.turns[0].reply
    assert made.dialogue.turns[0].reply.startswith("Add one.\n\n```python\ndef f")


@pytest.mark.parametrize(
    ("words", "whole"),
    [("One. Two", "One."), ("One!", "One!"), ("none", ""), ("Like this:", "Like this.")],
)
def test_prose_ends_with_a_whole_sentence(words: str, whole: str) -> None:
    assert whole_sentences(words) == whole


def test_groups_come_from_links_then_titles_then_tags_and_share_nothing() -> None:
    exercises = [
        exercise("Path Sum", tags=("Tree", "DFS")),
        exercise("Path Sum II", tags=("Tree", "DFS")),
        exercise("Two Sum", links=("Three Sum",)),
        exercise("Three Sum"),
        exercise("Invert", tags=("Tree", "DFS", "BFS")),
        exercise("Mirror", tags=("Tree", "DFS", "BFS")),
        exercise("Alone", tags=("Maths",)),
        exercise("Unsolved", JAVA, tags=("Tree", "DFS")),
    ]
    groups = [[each.title for each in group] for group in related(exercises)]
    assert groups == [["Two Sum", "Three Sum"], ["Path Sum", "Path Sum II"], ["Invert", "Mirror"]]
