import random

import pytest
from recorded import CODE, recorded, recorded_turn

from codeloop.core.errors import ConfigError
from codeloop.evals.reports.comparison import Run, compare_all
from codeloop.evals.reports.figures import summarise
from codeloop.evals.reports.markdown import comparison, markdown
from codeloop.evals.reports.sampling import equal_tokens
from codeloop.evals.reports.strict import is_strict, strict_turns
from codeloop.evals.rows import Row
from codeloop.evals.settings import FeedbackKind, Settings, Stop

RIGHT, WRONG = recorded_turn(passed=True), recorded_turn(passed=False)
FENCED = f"```python\n{CODE}```"


@pytest.mark.parametrize(
    ("reply", "strict"),
    [
        (FENCED, True),
        (f"Here it is.\n\n{FENCED}\n\nIt prints:\n\n```text\n1\n```", True),
        (f"{FENCED}\n\nOr:\n\n{FENCED}", False),
        (f"```\n{CODE}```", False),  # no language
        (f"```python\n{CODE}", False),  # never closed
        (CODE, False),
        ("```python\n    return x\n```", False),  # goes on where the prompt ends
    ],
)
def test_a_strict_reader_takes_one_closed_block_that_is_the_whole_solution(
    reply: str, strict: bool
) -> None:
    assert is_strict(reply, CODE, "python") is strict


def test_what_is_kept_without_code_is_as_strict_as_it_was() -> None:
    kept = recorded_turn(passed=True, rule="kept")
    row = recorded("a", [RIGHT, kept], replies=[FENCED, "I am done."])
    assert strict_turns(row, "python") == [True, True]
    row = recorded("a", [RIGHT, kept], replies=[CODE, "I am done."])
    assert strict_turns(row, "python") == [False, False]


def test_strict_and_lenient_are_scored_apart() -> None:
    rows = [recorded("a", [RIGHT]), recorded("b", [RIGHT], replies=[CODE]), recorded("c", [WRONG])]
    summary = summarise(rows)
    assert summary.rates["plus"][Stop.VISIBLE].passed == 2
    assert summary.strict["plus"][Stop.VISIBLE].passed == 1
    page = markdown(Settings("mine@1", "m"), summary)
    assert "| lenient | 2/3 = 66.7 %" in page
    assert "| strict | 1/3 = 33.3 %" in page


def test_cost_is_told_by_turn_and_seconds_only_where_every_turn_has_them() -> None:
    rows = [recorded("a", [WRONG, RIGHT]), recorded("b", [RIGHT])]
    costs = summarise(rows).costs
    assert [cost.completion_tokens for cost in costs] == [20, 30]
    assert [cost.prompt_tokens for cost in costs] == [200, 300]
    assert [cost.solved for cost in costs] == [1, 2]
    assert [cost.tokens_per_solved for cost in costs] == [20, 15]
    assert costs[-1].seconds_per_solved is None
    timed = [row | {"turns": [turn | {"model_s": 2.0} for turn in row["turns"]]} for row in rows]
    assert [cost.seconds_per_solved for cost in summarise(timed).costs] == [4, 3]


def test_several_samples_have_pass_at_k() -> None:
    rows = [recorded("a", [RIGHT if at else WRONG], sample=at) for at in range(2)]
    assert summarise(rows).pass_at["plus"] == {1: 0.5, 2: 1.0}
    assert "| pass@2 | 100.0 % | 100.0 % |" in markdown(Settings("mine@1", "m"), summarise(rows))


def dialogues(seed: int, rates: list[float], *, turns: int, samples: int = 1) -> list[Row]:
    """Return dialogues whose every turn is another draw, until one passes."""
    dice = random.Random(seed)
    rows = []
    for at, rate in enumerate(rates):
        for sample in range(samples):
            drawn = [RIGHT if dice.random() < rate else WRONG for _ in range(turns)]
            end = drawn.index(RIGHT) + 1 if RIGHT in drawn else turns
            rows.append(recorded(str(at), drawn[:end], sample=sample))
    return rows


def test_feedback_that_is_but_another_draw_gains_nothing_over_equal_tokens() -> None:
    rates = [(at % 10) / 10 for at in range(600)]
    feedback = dialogues(1, rates, turns=2)
    samples = dialogues(2, rates, turns=1, samples=6)
    figures = equal_tokens(feedback, samples, "plus", Stop.VISIBLE)
    low, high = figures.interval
    assert low < 0 < high
    assert abs(figures.difference) < 0.06
    assert figures.sampled_tokens == pytest.approx(figures.tokens, rel=0.01)
    assert figures.exhausted == 0


def test_feedback_that_mends_all_gains_over_equal_tokens() -> None:
    rates = [0.3] * 200
    feedback = [recorded(str(at), [WRONG, RIGHT]) for at in range(200)]
    samples = dialogues(2, rates, turns=1, samples=6)
    figures = equal_tokens(feedback, samples, "plus", Stop.VISIBLE)
    assert figures.solved == 1
    assert figures.interval[0] > 0.3


def test_one_sample_of_each_problem_is_soon_exhausted_and_that_is_told() -> None:
    feedback = [recorded("a", [WRONG, RIGHT]), recorded("b", [WRONG, WRONG])]
    figures = equal_tokens(feedback, [recorded(n, [WRONG]) for n in "ab"], "plus", Stop.VISIBLE)
    assert (figures.sampled, figures.exhausted) == (0, 2)
    assert figures.difference == 0.5


def test_runs_are_set_beside_the_first_their_controls_and_sampling() -> None:
    names = [str(at) for at in range(8)]

    def run(name: str, kind: FeedbackKind, solved: int) -> Run:
        rows = [recorded(each, [WRONG, RIGHT] if int(each) < solved else [WRONG]) for each in names]
        return Run(name, Settings("mine@1", "m", feedback=kind, turns=2), rows)

    runs = [
        run("single", FeedbackKind.NONE, 0),
        run("exec", FeedbackKind.EXECUTION, 8),
        run("retry", FeedbackKind.RETRY, 1),
    ]
    found = compare_all(runs, Stop.VISIBLE)
    assert [(each.one, each.two) for each in found.against_first] == [
        ("single", "exec"),
        ("single", "retry"),
    ]
    assert found.against_first[0].p == pytest.approx(2 / 2**8)
    assert found.against_first[0].adjusted == pytest.approx(4 / 2**8)
    (gain,) = found.over_controls
    assert (gain.one, gain.two, gain.only_second) == ("retry", "exec", 7)
    (sampled,) = found.over_sampling
    assert (sampled.run, sampled.samples) == ("exec", "single")
    page = comparison(found)
    assert "| exec - retry | 8 | 100.0 %, 12.5 % | +87.5 (" in page
    assert "| exec | 2 | 8 | 20 | - |" in page


def test_runs_on_other_problems_are_not_compared() -> None:
    one = Run("a", Settings("mine@1", "m"), [recorded("x", [RIGHT])])
    two = Run("b", Settings("mine@1", "m"), [recorded("y", [RIGHT])])
    with pytest.raises(ConfigError, match="a and b have no problem in common"):
        compare_all([one, two], Stop.VISIBLE)
