"""Two prompts make one value, and what has no score never passes."""

import math
from collections.abc import Sequence

import pytest

from codeloop.core.dialogue import Finish, Message
from codeloop.core.errors import ContextOverflowError, ModelError
from codeloop.core.protocols import Reply, TokenLogprob
from codeloop.dataset.failure import FailureKind
from codeloop.dataset.scoring.complexity import Combination, Order, Scale, rate, score
from codeloop.models.scripted import ScriptedModel


def judge(plain: str | Reply, harsh: str | Reply) -> ScriptedModel:
    """Return a model that answers by the prompt that it is asked."""

    def answer(messages: Sequence[Message]) -> str | Reply:
        return harsh if "senior engineers" in messages[-1].content else plain

    return ScriptedModel(answer)


def weighed(digit: str, *others: tuple[str, float]) -> Reply:
    top = tuple((token, math.log(p)) for token, p in others)
    tokens = (TokenLogprob("Score: ", -0.01), TokenLogprob(digit, top[0][1], top))
    return Reply(f"Score: {digit}", logprobs=tokens)


def test_the_mean_of_both_has_to_be_four() -> None:
    assert score("q", judge("Score: 5", "Score: 3")).passes()
    below = score("q", judge("Score: 4", "Score: 3"))
    assert below.value == 3.5
    assert not below.passes()


def test_both_asks_the_second_only_where_the_first_passed() -> None:
    model = judge("Score: 3", "Score: 5")
    found = score("q", model, combination=Combination.BOTH)
    assert (found.value, len(found.ratings), len(model.calls)) == (3.0, 1, 1)
    model = judge("Score: 5", "Score: 4")
    assert score("q", model, combination=Combination.BOTH).passes()
    assert len(model.calls) == 2
    assert not score("q", judge("Score: 5", "Score: 3"), combination=Combination.BOTH).passes()


def test_expected_weighs_both_scores_and_keeps_the_mass() -> None:
    model = judge(weighed("4", ("4", 0.6), ("5", 0.2)), weighed("5", ("5", 0.9)))
    found = score("q", model, combination=Combination.EXPECTED)
    assert found.value == pytest.approx((4.25 + 5) / 2)
    assert [each.mass for each in found.ratings] == [pytest.approx(0.8), pytest.approx(0.9)]
    assert all(call.sampling.top_logprobs for call in model.calls)


def test_a_plain_score_never_stands_in_for_a_weighed_one() -> None:
    model = judge(weighed("5", ("5", 0.9)), "Score: 5")
    found = score("q", model, combination=Combination.EXPECTED)
    assert found.failure is not None
    assert found.failure.kind is FailureKind.NO_LOGPROBS
    assert found.value is None
    assert not found.passes(0.0)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(""), FailureKind.EMPTY_REPLY),
        (Reply("I cannot", Finish.FILTER), FailureKind.REFUSED),
        (Reply("This request asks", Finish.LENGTH), FailureKind.CUT_OFF),
        (Reply("def f(): return 5"), FailureKind.UNREADABLE),
        (Reply("Score: 9"), FailureKind.OUT_OF_RANGE),
        (ModelError("gone"), FailureKind.MODEL_FAILED),
        (ContextOverflowError("too long"), FailureKind.TOO_LONG),
    ],
)
@pytest.mark.parametrize("combination", Combination)
def test_a_reply_without_a_score_is_a_failure_with_its_class(
    reply: Reply | Exception, kind: FailureKind, combination: Combination
) -> None:
    found = score("q", ScriptedModel([reply, reply]), combination=combination)
    assert found.failure is not None
    assert found.failure.kind is kind
    assert not found.passes(0.0)
    assert len(found.ratings) == 1, "what is lost already is not asked a second time"


def test_a_failure_of_the_second_prompt_is_one_of_the_query() -> None:
    found = score("q", judge("Score: 5", "no idea"))
    assert found.failure is not None
    assert not found.passes()


def test_the_query_stands_in_both_prompts_as_it_is() -> None:
    model = judge("Score: 5", "Score: 5")
    score("price in $query and ${x}", model)
    assert len(model.calls) == 2
    assert all("price in $query and ${x}" in call.messages[-1].content for call in model.calls)


def test_the_order_decides_which_score_counts_and_how_much_may_be_written() -> None:
    text = "Score: 2\nReason: not a 5.\nScore: 4"
    first = rate("q", ScriptedModel([text]), Scale.PLAIN)
    model = ScriptedModel([text])
    last = rate("q", model, Scale.PLAIN, Order.REASON_FIRST)
    assert (first.score, last.score) == (2, 4)
    assert (model.calls[0].sampling.max_tokens or 0) > 100
