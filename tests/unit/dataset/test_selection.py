"""Stages of a config that take some of the rows, and let all others past."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.errors import ConfigError
from codeloop.dataset.config import read_config
from codeloop.dataset.estimate import estimate
from codeloop.dataset.kinds import KINDS
from codeloop.dataset.means import Cast, Means, Surroundings
from codeloop.dataset.pipeline import Pipeline, check_chain
from codeloop.dataset.records import Example, Query, read
from codeloop.dataset.stages import Gone, Selection, SetStage, Shop, Stage, StageKind, draw
from codeloop.dataset.store import Store
from codeloop.models.scripted import ScriptedModel

ROWS = [Query(str(n), language="python" if n % 2 else "sql") for n in range(40)]
HALF = Selection(Query, 0.5, ("python",))


def shout(row: Query, _means: Means) -> Iterator[Query]:
    yield Query(f"{row.query}!", language=row.language)


def odd_out(rows: Iterable[Query]) -> Iterator[Query | Gone]:
    for number, row in enumerate(rows):
        yield Gone(row.id, "odd") if number % 2 else row


def made(stages: list[Stage | SetStage], tmp_path: Path) -> tuple[list[str], Pipeline]:
    with Store(tmp_path / "store.db") as store:
        pipeline = Pipeline(stages, Shop(store, Surroundings()), in_flight=4)
        pipeline.run(ROWS, tmp_path / "out")
    rows = read(Query, tmp_path / "out" / "made.jsonl")
    return [row.query for row in rows if isinstance(row, Query)], pipeline


def test_a_stage_takes_the_rows_it_selects_and_lets_the_others_past(tmp_path: Path) -> None:
    rows, pipeline = made([Stage("shout", "1", shout, Query, selection=HALF)], tmp_path)
    assert rows == [f"{row.query}!" if HALF.takes(row) else row.query for row in ROWS]
    tally = pipeline.funnel[0]
    assert 0 < tally.taken < 20
    assert (tally.taken + tally.past, tally.made) == (40, tally.taken)


def test_a_stage_of_all_rows_sees_those_it_selects_and_the_others_come_after(
    tmp_path: Path,
) -> None:
    only = Selection(Query, languages=("python",))
    rows, pipeline = made([SetStage("odd", "1", odd_out, Query, selection=only)], tmp_path)
    assert rows == [str(n) for n in range(1, 40, 4)] + [str(n) for n in range(0, 40, 2)]
    tally = pipeline.funnel[0]
    assert (tally.taken, tally.made, tally.past) == (20, 10, 20)


@given(st.text(), st.floats(0.001, 1), st.floats(0.001, 1))
def test_a_smaller_share_is_a_part_of_a_larger_one(text: str, one: float, two: float) -> None:
    small, large = sorted((one, two))
    row = Query(text)
    assert 0 <= draw(row.id) < 1
    assert Selection(Query, large).takes(row) or not Selection(Query, small).takes(row)


def test_a_record_of_another_kind_goes_past() -> None:
    assert not Selection(Example).takes(Query("a"))
    assert Selection(Query).takes(Query("a"))


def test_stages_may_follow_that_take_what_was_let_past() -> None:
    def kind(name: str, takes: type) -> StageKind:
        return StageKind(name, takes, int, lambda _settings, _surroundings: STAGE)

    def stage(selection: Selection) -> Stage:
        return Stage("way", "1", lambda row, _means: [row], Example, selection=selection)

    kinds = [kind("way", Query), kind("other", Query), kind("last", Example)]
    last = stage(Selection(Example))
    check_chain(kinds, [stage(Selection(Query, 0.5)), stage(Selection(Query)), last], Query)
    with pytest.raises(ConfigError, match="stage other takes records of Query, and stage way"):
        check_chain(kinds, [stage(Selection(Query)), stage(Selection(Query)), last], Query)


STAGE = Stage("shout", "1", shout, Query)


def test_a_config_says_which_rows_a_stage_takes(tmp_path: Path) -> None:
    text = '[[stage]]\nname = "refine"\nturns = 2\nshare = 0.1\nlanguages = ["python"]\n'
    path = tmp_path / "c.toml"
    path.write_text(text, encoding="utf-8")
    (stage,) = read_config(path, KINDS).stages
    assert stage.selection == Selection(Query, 0.1, ("python",))
    path.write_text(text.replace("0.1", "0.0"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"refine: share should be more than 0 and at most 1"):
        read_config(path, KINDS)


def test_an_estimate_counts_the_rows_that_a_stage_takes(tmp_path: Path) -> None:
    stages: list[Any] = [Stage("shout", "1", shout, Query, selection=HALF, calls=1)]
    taken = sum(HALF.takes(row) for row in ROWS)
    with Store(tmp_path / "store.db") as store:
        lines = list(estimate(stages, Shop(store, Surroundings()), Surroundings(), ROWS))
    assert f"about {taken} to do" in lines[1]


def test_scores_of_both_prompts_are_counted_as_pairs(tmp_path: Path) -> None:
    judge = ScriptedModel(["Score: 5", "Score: 4", "Score: 1", "Score: 2"], name="judge")
    surroundings = Surroundings({"judge": Cast(judge)})
    kind = next(each for each in KINDS if each.name == "complexity")
    with Store(tmp_path / "store.db") as store:
        stages = [kind.build(kind.settings(), surroundings)]
        pipeline = Pipeline(stages, Shop(store, surroundings), in_flight=1)
        pipeline.run([Query("a"), Query("b")], tmp_path / "out")
    assert pipeline.funnel[0].seen == {"5 4": 1, "1 2": 1}
