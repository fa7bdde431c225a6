"""Similar queries become one dialogue: neighbours are exact, and none is used twice."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeloop.core.errors import ModelError
from codeloop.core.records import from_json, to_json
from codeloop.dataset.failure import FailureKind
from codeloop.dataset.kinds import KINDS
from codeloop.dataset.means import Surroundings
from codeloop.dataset.records import Example, Query
from codeloop.dataset.stages import Gone, SetStage
from codeloop.dataset.ways.embedding import WordEmbedder, unit
from codeloop.dataset.ways.neighbours import nearest
from codeloop.dataset.ways.packing import FollowUpJudge, PackingSettings, packed, packs
from codeloop.models.scripted import ScriptedModel


def queries(count: int) -> list[Query]:
    return [
        Query(f"query {n}", f"answer {n}", f"s{n % 2}", "MIT", "python" if n % 3 else "java")
        for n in range(count)
    ]


@given(st.integers(0, 40), st.integers(0, 5), st.booleans())
def test_packs_have_two_or_three_and_share_nothing(count: int, seed: int, same: bool) -> None:
    vectors = unit(np.random.default_rng(seed).standard_normal((count, 8), np.float32))
    how = PackingSettings(seed=seed, same_language=same)
    asked = queries(count)
    made = list(packs(asked, vectors, how))
    used = [place for pack in made for place in pack]
    assert len(used) == len(set(used))
    assert all(len(pack) in {2, 3} for pack in made)
    assert made == list(packs(asked, vectors, how))
    if same:
        assert all(len({asked[place].language for place in pack}) == 1 for pack in made)


def test_a_query_is_packed_with_its_neighbours_alone() -> None:
    rows = [[1, 0], [1, 0.1], [0, 1], [0.1, 1]]
    made = packs(queries(4), unit(np.array(rows, np.float32)), PackingSettings(neighbours=1))
    assert set(made) == {(0, 1), (2, 3)}


def test_a_query_whose_neighbours_are_used_is_passed_over() -> None:
    rows = [[1.0, 0.0], [1.0, 0.05], [1.0, 0.2]]
    near = PackingSettings(neighbours=1)
    (pack,) = packs(queries(3), unit(np.array(rows, np.float32)), near)
    assert pack == (0, 1)


def test_what_is_not_similar_enough_or_has_no_answer_is_left_alone() -> None:
    vectors = unit(np.array([[1, 0], [1, 0.1], [0, 1]], np.float32))
    assert not list(packs(queries(3), vectors, PackingSettings(min_similarity=0.9999)))
    silent = [Query("a"), Query("b"), Query("c", "d")]
    assert not list(packs(silent, vectors))


def test_a_judge_is_asked_of_each_that_would_follow() -> None:
    vectors = unit(np.array([[1, 0], [1, 0.1], [1, 0.2]], np.float32))
    model = ScriptedModel(lambda messages: "Yes." if "query 2" in messages[0].content else "No")
    (pack,) = packs(queries(3), vectors, follows_on=FollowUpJudge(model))
    assert 2 in pack
    assert len(pack) == 2


def test_a_judge_s_answer_that_is_neither_yes_nor_no_does_not_follow() -> None:
    judge = FollowUpJudge(ScriptedModel(["Perhaps", ""]))
    first, second, *_ = queries(2)
    assert not judge(first, second)
    assert not judge(first, second)
    kinds = [each.kind for each in judge.failures]
    assert kinds == [FailureKind.UNREADABLE, FailureKind.EMPTY_REPLY]
    with pytest.raises(ModelError):
        judge(first, second)


def test_a_pack_is_a_dialogue_that_says_where_it_came_from() -> None:
    one, two = queries(2)
    example = packed((one, two))
    first, second = example.dialogue.turns
    assert example.dialogue.opening[0].content == "query 0"
    assert (first.reply, first.feedback[0].text) == ("answer 0", "query 1")
    assert (second.reply, second.feedback) == ("answer 1", ())
    assert example.query_ids == (one.id, two.id)
    assert (example.source, example.licence, example.language) == ("s0, s1", "MIT", "java, python")
    assert from_json(Example, to_json(example)) == example
    assert packed((one, two)).dialogue.id == example.dialogue.id


def test_texts_on_one_subject_are_near_to_each_other() -> None:
    dice = random.Random(1)
    subjects = [
        [
            "linked",
            "list",
            "node",
            "head",
            "pointer",
            "reverse",
            "cycle",
            "insert",
            "delete",
            "tail",
        ],
        ["sql", "table", "join", "group", "order", "column", "row", "select", "index", "key"],
        ["date", "time", "zone", "parse", "format", "month", "year", "hour", "calendar", "week"],
    ]
    texts = [" ".join(["write a", *dice.sample(words, 6)]) for words in subjects * 20]
    vectors = WordEmbedder(dimensions=8).embed(texts)
    rows, _ = nearest(vectors, 3)
    same = [near % 3 == at % 3 for at, row in enumerate(rows) for near in row]
    assert all(same)
    assert np.array_equal(vectors, WordEmbedder(dimensions=8).embed(texts))


@settings(max_examples=15)
@given(st.lists(st.text(max_size=30), max_size=12))
def test_any_texts_become_unit_vectors_or_zeros(texts: list[str]) -> None:
    vectors = WordEmbedder(dimensions=16).embed(texts)
    assert vectors.shape == (len(texts), 16)
    lengths = np.linalg.norm(vectors, axis=1)
    assert all(abs(length - 1) < 1e-4 or length == 0 for length in lengths)


def test_the_stage_says_which_queries_have_no_answer_and_compares_the_others_alone() -> None:
    asked = [Query("Sort a list of names.", "sorted(names)"), Query("Sort a list of names now.")]
    asked.append(Query("Sort the list of names.", "names.sort()"))
    (kind,) = (each for each in KINDS if each.name == "pack")
    stage = kind.build(kind.settings(), Surroundings())
    assert isinstance(stage, SetStage)
    first, *others = stage.work(asked)
    assert first == Gone(asked[1].id, "no_answer")
    assert [type(each) for each in others] == [Example, Gone]
    assert others[1].why == "packed"
    assert [each.why for each in stage.work(asked[:2])] == ["no_answer", "no_neighbour"]
