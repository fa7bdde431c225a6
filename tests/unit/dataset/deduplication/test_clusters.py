"""Rows that say the same are joined, whatever their order, and one stands for all."""

import random
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.dataset.deduplication import clusters
from codeloop.dataset.deduplication.clusters import Clusters, Likeness, Why, cluster, cluster_texts
from codeloop.dataset.deduplication.shingles import Shingler, jaccard
from codeloop.dataset.records import Query

WORDS = [f"w{number}" for number in range(40)]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join), max_size=25)


def text(seed: int, words: int = 60) -> list[str]:
    return random.Random(seed).choices([f"word{number}" for number in range(5000)], k=words)


def edited(words: list[str], seed: int) -> list[str]:
    copy = list(words)
    copy[random.Random(seed).randrange(len(copy))] = "edited"
    return copy


def groups(found: Clusters) -> set[frozenset[int]]:
    whole: dict[int, set[int]] = defaultdict(set)
    for each in found.members:
        whole[each.kept] |= {each.row, each.kept}
    return {frozenset(each) for each in whole.values()}


def test_the_longest_answer_stands_for_its_cluster_and_of_equals_the_first() -> None:
    words = text(1)
    queries = [
        Query(" ".join(words), "short"),
        Query(" ".join(text(2)), "other"),
        Query(" ".join(edited(words, 3)), "a longer one"),
        Query("  ".join(words).upper(), "as long, one"),
    ]
    found = cluster(queries)
    assert [(each.row, each.kept, each.why) for each in found.members] == [
        (0, 2, Why.NEAR),
        (3, 2, Why.NEAR),
    ]
    assert [query.answer for query in found.kept(queries)] == ["other", "a longer one"]
    assert all(0.7 <= each.similarity < 1 for each in found.members)


def test_letter_case_and_white_space_are_exact() -> None:
    (member,) = cluster([Query("Sort a  list"), Query("sort A\nlist")]).members
    assert (member.row, member.kept, member.why, member.similarity) == (1, 0, Why.EXACT, 1.0)


@given(TEXTS, st.randoms(use_true_random=False))
def test_clusters_do_not_hang_on_the_order_of_rows(texts: list[str], dice: random.Random) -> None:
    order = list(range(len(texts)))
    dice.shuffle(order)
    straight = cluster_texts((each, 0) for each in texts)
    shuffled = cluster_texts((texts[row], 0) for row in order)
    moved = {frozenset(order[row] for row in group) for group in groups(shuffled)}
    assert moved == groups(straight)


@given(TEXTS)
def test_crowds_do_not_hang_on_the_order_of_rows_either(texts: list[str]) -> None:
    crowd = [*texts, *(" ".join([*WORDS[:20], each]) for each in WORDS)]
    straight = cluster_texts((each, 0) for each in crowd)
    backward = cluster_texts((each, 0) for each in reversed(crowd))
    last = len(crowd) - 1
    assert {frozenset(last - row for row in group) for group in groups(backward)} == groups(
        straight
    )


@given(TEXTS)
def test_every_pair_that_is_alike_enough_for_any_band_is_joined(texts: list[str]) -> None:
    unique = list(dict.fromkeys(texts))
    alike = Likeness(words=2, similarity=0.95, bands=32, rows=2)
    found = cluster_texts(((each, 0) for each in unique), likeness=alike)
    stands_for = {each.row: each.kept for each in found.members}
    sets = [frozenset(zip(each.split(), each.split()[1:], strict=False)) for each in unique]
    for one, first in enumerate(sets):
        for two, second in enumerate(sets[:one]):
            if first and first == second and min(len(first), len(second)) > 1:
                assert stands_for.get(one, one) == stands_for.get(two, two)


@given(st.lists(st.text(max_size=80), min_size=1, max_size=20))
def test_shingles_are_those_of_each_text_alone(texts: list[str]) -> None:
    shingler = Shingler(5, 2, 2)
    together, begins = shingler.shingles(texts)
    parts = np.split(together, begins[1:])
    alone = [Shingler(5, 2, 2).shingles([each])[0] for each in texts]
    assert [part.tolist() for part in parts] == [each.tolist() for each in alone]
    keys = shingler.keys(together, begins)
    assert keys.tolist() == [
        shingler.keys(each, np.zeros(1, np.int64))[0].tolist() for each in alone
    ]


@given(st.lists(st.sampled_from(["a", "bc", "a1_", "é", "日本"]), min_size=5, max_size=30))
def test_a_text_has_as_many_shingles_as_windows_of_five_words(words: list[str]) -> None:
    found, _ = Shingler(5, 2, 2).shingles([" . ".join(words)])
    windows = [tuple(words[at : at + 5]) for at in range(len(words) - 4)]
    assert len(found) == len(windows)
    assert len(set(found.tolist())) == len(set(windows))


def test_punctuation_alone_is_no_likeness() -> None:
    assert not cluster([Query("???"), Query("!!!"), Query("")]).members


def test_a_crowd_is_joined_by_those_that_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "_CROWD", 3)
    words = text(1)
    texts = [" ".join(edited(words, seed)) for seed in range(40)] + [" ".join(text(9))]
    assert groups(cluster_texts((each, 0) for each in texts)) == {frozenset(range(40))}


def test_more_texts_than_a_batch_are_found_again() -> None:
    texts = [" ".join(text(seed, 30)) for seed in range(700)]
    found = cluster_texts((each, 0) for each in [*texts, *texts[::-1]])
    assert len(found.members) == 700
    assert all(each.row + each.kept == 1399 for each in found.members)


def test_close_vectors_join_what_shingles_do_not() -> None:
    queries = [Query(f"query {number} of its own kind", "a" * number) for number in range(3)]
    vectors = np.array([[1, 0], [0, 1], [0.9987, 0.05]], np.float32)
    (member,) = cluster(queries, vectors=vectors).members
    assert (member.row, member.kept, member.why) == (0, 2, Why.EMBEDDING)
    assert member.similarity == pytest.approx(0.9987, abs=1e-4)


def test_jaccard_is_what_is_shared_by_what_there_is() -> None:
    assert jaccard(frozenset({1, 2, 3}), frozenset({2, 3, 4})) == 0.5


def test_nothing_has_no_clusters() -> None:
    assert not cluster([]).members
