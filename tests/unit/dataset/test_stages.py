from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codeloop.core.errors import (
    BudgetSpentError,
    ConfigError,
    ContextOverflowError,
    ModelError,
    SandboxError,
    UnavailableError,
)
from codeloop.core.protocols import Reply, Sampling
from codeloop.dataset.budget import Budget, Purse
from codeloop.dataset.failure import Failure, FailureKind
from codeloop.dataset.kinds import KINDS
from codeloop.dataset.means import Cast, Means, Surroundings
from codeloop.dataset.pipeline import Pipeline, Shard, check_chain
from codeloop.dataset.records import Malformed, Query, read
from codeloop.dataset.stages import (
    FailureClass,
    Gone,
    Left,
    RowError,
    SetStage,
    Shop,
    Stage,
    StageKind,
    left_by,
)
from codeloop.dataset.store import Store
from codeloop.models.scripted import ScriptedModel


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.db") as opened:
        yield opened


Work = Callable[[Any, Means], Iterable[Any]]


def stage(work: Work, *, name: str = "s", version: str = "1", settings: Any = None) -> Stage:
    return Stage(name, version, work, Query, settings=settings)


def failing(error: Exception, times: int) -> tuple[Work, list[int]]:
    """Return work that raises an error so often, and the attempts that it saw."""
    seen: list[int] = []

    def work(row: Query, means: Means) -> list[Query]:
        seen.append(means.attempt)
        if len(seen) <= times:
            raise error
        return [row]

    return work, seen


def test_a_row_is_worked_on_once(store: Store) -> None:
    work, seen = failing(ModelError("no"), 0)
    for _ in range(2):
        outcome = Shop(store, Surroundings()).outcome(stage(work), Query("a"))
        assert outcome.rows == (Query("a"),)
    assert seen == [0]


@pytest.mark.parametrize(
    "other",
    [
        {"name": "t"},
        {"version": "2"},
        {"settings": {"k": 4}},
    ],
)
def test_another_name_version_or_setting_works_anew(store: Store, other: dict[str, Any]) -> None:
    work, seen = failing(ModelError("no"), 0)
    shop = Shop(store, Surroundings())
    shop.outcome(stage(work), Query("a"))
    shop.outcome(stage(work, **other), Query("a"))
    assert len(seen) == 2


def test_another_model_in_a_role_works_anew(store: Store) -> None:
    work, seen = failing(ModelError("no"), 0)
    judged = Stage("s", "1", work, Query, roles=("judge",))
    for name in ("m", "n"):
        cast = {"judge": Cast(ScriptedModel([], name=name))}
        Shop(store, Surroundings(cast)).outcome(judged, Query("a"))
    assert len(seen) == 2
    with pytest.raises(ConfigError, match=r"add a table \[models.judge\]"):
        Shop(store, Surroundings()).outcome(judged, Query("a"))


@pytest.mark.parametrize(
    ("error", "kind", "attempts"),
    [
        (RowError(FailureClass.PARSE, "no score"), "parse", [0, 1, 2]),
        (RowError(FailureClass.REFUSED, "no"), "refused", [0, 1]),
        (RowError(FailureClass.EMPTY, ""), "empty", [0, 1]),
        (ContextOverflowError("long"), "length", [0]),
        (UnavailableError("busy"), "http", [0, 0, 0, 0]),
        (ModelError("401"), "model", [0]),
        (SandboxError("broke"), "sandbox", [0, 0]),
    ],
)
def test_a_failure_has_its_class_and_as_many_tries_as_that_allows(
    store: Store, error: Exception, kind: str, attempts: list[int]
) -> None:
    work, seen = failing(error, 99)
    outcome = Shop(store, Surroundings()).outcome(stage(work), Query("a"))
    assert outcome.failed is not None
    assert (outcome.failed.kind, outcome.rows, seen) == (kind, (), attempts)


def test_a_failure_that_may_pass_is_tried_again_by_the_next_run_and_another_is_not(
    store: Store,
) -> None:
    busy, seen = failing(UnavailableError("busy"), 5)
    for _ in range(2):
        outcome = Shop(store, Surroundings()).outcome(stage(busy), Query("a"))
    assert outcome.rows
    assert len(seen) == 6
    bad, seen = failing(RowError(FailureClass.PARSE, "?"), 3)
    for _ in range(2):
        assert Shop(store, Surroundings()).outcome(stage(bad, name="t"), Query("a")).failed
    assert seen == [0, 1, 2]
    shop = Shop(store, Surroundings(), again=frozenset({FailureClass.PARSE}))
    assert shop.outcome(stage(bad, name="t"), Query("a")).rows
    assert seen == [0, 1, 2, 3]


def test_equal_rows_that_fail_are_tried_once_in_a_run(store: Store) -> None:
    work, seen = failing(ModelError("401"), 99)
    shop = Shop(store, Surroundings())
    for _ in range(3):
        assert shop.outcome(stage(work), Query("a")).failed
    assert len(seen) == 1


def test_a_bug_is_no_failure_of_a_row(store: Store) -> None:
    work, _ = failing(KeyError("x"), 1)
    with pytest.raises(KeyError):
        Shop(store, Surroundings()).outcome(stage(work), Query("a"))
    assert Shop(store, Surroundings()).outcome(stage(work), Query("a")).rows


def test_a_stage_that_makes_nothing_of_a_row_says_so(store: Store) -> None:
    outcome = Shop(store, Surroundings()).outcome(stage(lambda _row, _means: []), Query("a"))
    assert outcome.left == Left("nothing_made")


def test_another_attempt_gets_another_reply_and_the_tokens_of_all_are_counted(
    store: Store,
) -> None:
    model = ScriptedModel(["bad", "good"], name="m")

    def work(row: Query, means: Means) -> list[Query]:
        *_, reply = means.model("judge").stream([], Sampling())
        assert isinstance(reply, Reply)
        if reply.text == "bad":
            raise RowError(FailureClass.PARSE, reply.text)
        return [Query(reply.text)]

    judged = Stage("s", "1", work, Query, roles=("judge",), calls=1)
    purse = Purse()
    surroundings = Surroundings({"judge": Cast(model)}, purse=purse)
    outcome = Shop(store, surroundings).outcome(judged, Query("a"))
    assert outcome.rows == (Query("good"),)
    assert outcome.usage.total_tokens == purse.tokens


def ended(row: Query, means: Means) -> Iterator[Query | Left]:
    if row.query == "drop":
        yield Left("dropped", "on purpose")
    elif row.query == "fail":
        raise RowError(FailureClass.PARSE, "no")
    else:
        yield Query(row.query + "!")
        yield Query(row.query + "?")


def unique(rows: Iterable[Query]) -> Iterator[Query | Gone]:
    seen: set[str] = set()
    assert list(rows) == list(rows)  # it may go through them again
    for row in rows:
        yield Gone(row.id, "duplicate") if row.id in seen else row
        seen.add(row.id)


STAGES = (
    SetStage("unique", "1", unique, Query),
    stage(ended, name="ended"),
    stage(lambda row, _: [row], name="same"),
)
ROWS = [Query("a"), Query("drop"), Malformed("f:3", "bad"), Query("a"), Query("fail"), Query("b")]


def test_rows_go_through_all_stages_in_order_and_none_is_lost(store: Store, tmp_path: Path) -> None:
    pipeline = Pipeline(STAGES, Shop(store, Surroundings()), in_flight=4)
    pipeline.run(ROWS, tmp_path / "out")
    rows = read(Query, tmp_path / "out" / "made.jsonl")
    made = [row.query for row in rows if isinstance(row, Query)]
    assert made == ["a!", "a?", "b!", "b?"]
    assert [tally.row() for tally in pipeline.funnel] == [
        {
            "stage": "unique",
            "taken": 5,
            "made": 4,
            "past": 0,
            "left": {"duplicate": 1},
            "failed": {},
        },
        {
            "stage": "ended",
            "taken": 4,
            "made": 4,
            "past": 0,
            "left": {"dropped": 1},
            "failed": {"parse": 1},
        },
        {"stage": "same", "taken": 4, "made": 4, "past": 0, "left": {}, "failed": {}},
    ]
    left = (tmp_path / "out" / "left.jsonl").read_text(encoding="utf-8")
    assert left.index("duplicate") < left.index("on purpose")
    failed = (tmp_path / "out" / "failed.jsonl").read_text(encoding="utf-8")
    assert '"row": "f:3", "why": "malformed"' in failed
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"made.jsonl", "left.jsonl", "failed.jsonl", "funnel.json"}


def test_rows_are_taken_as_they_are_needed(store: Store, tmp_path: Path) -> None:
    taken, most = 0, 0
    done = 0

    def rows() -> Iterator[Query]:
        nonlocal taken, most
        for n in range(400):
            taken += 1
            most = max(most, taken - done)
            yield Query(str(n))

    class Watching(Pipeline):
        def _count(self, number: int, outcome: Any) -> None:
            nonlocal done
            done += 1
            super()._count(number, outcome)

    pipeline = Watching(STAGES[2:], Shop(store, Surroundings()), in_flight=4)
    pipeline.run(rows(), tmp_path / "out")
    assert done == 400
    assert most <= 4 * 4 + 2


def test_a_run_that_ends_early_leaves_no_file(store: Store, tmp_path: Path) -> None:
    def spent(row: Query, means: Means) -> list[Query]:
        Purse(Budget(tokens=0)).check()
        return [row]

    pipeline = Pipeline([stage(spent)], Shop(store, Surroundings()), in_flight=2)
    with pytest.raises(BudgetSpentError):
        pipeline.run(ROWS, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_run_whose_model_is_gone_does_not_go_on_row_after_row(
    store: Store, tmp_path: Path
) -> None:
    work, seen = failing(ModelError("401"), 10**6)
    rows = [Query(str(n)) for n in range(300)]
    pipeline = Pipeline([stage(work)], Shop(store, Surroundings()), in_flight=2)
    with pytest.raises(ModelError, match="50 rows failed one after the other"):
        pipeline.run(rows, tmp_path / "out")
    assert len(seen) < 100


def test_a_shard_takes_every_nth_row(store: Store, tmp_path: Path) -> None:
    for index in (1, 2):
        pipeline = Pipeline(STAGES[2:], Shop(store, Surroundings()), in_flight=2)
        pipeline.run([Query("a"), Query("b"), Query("c")], tmp_path / "o", shard=Shard(index, 2))
        assert pipeline.read == 3 - index


def test_stages_that_do_not_fit_are_named() -> None:
    kind = StageKind("s", int, int, lambda _settings, _surroundings: STAGES[0])
    with pytest.raises(ConfigError, match="stage s takes records of int, and the input gives"):
        check_chain([kind], [STAGES[0]], Query)


def test_dedup_and_complexity_are_stages(store: Store, tmp_path: Path) -> None:
    judge = ScriptedModel(["Score: 5", "Score: 4", "Score: 1", "Score: 2"], name="judge")
    surroundings = Surroundings({"judge": Cast(judge)})
    stages = [kind.build(kind.settings(), surroundings) for kind in KINDS[:2]]
    rows = [Query("Sort a list of numbers."), Query("sort a list of  numbers."), Query("Hi")]
    pipeline = Pipeline(stages, Shop(store, surroundings), in_flight=1)
    pipeline.run(rows, tmp_path / "out")
    (kept,) = read(Query, tmp_path / "out" / "made.jsonl")
    assert isinstance(kept, Query)
    assert dict(kept.meta)["complexity"] == "4.5"
    assert dict(kept.meta).keys() > {"complexity_plain", "complexity_harsh"}
    assert [tally.left for tally in pipeline.funnel] == [{"exact": 1}, {"too_simple": 1}]


def test_what_a_failure_of_others_is_called_here() -> None:
    assert left_by(Failure(FailureKind.NOT_SHOWN, "x")) == Left("not_shown", "x")
    with pytest.raises(RowError) as caught:
        left_by(Failure(FailureKind.UNREADABLE))
    assert caught.value.kind is FailureClass.PARSE
