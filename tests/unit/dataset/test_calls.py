import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.dialogue import Finish, Message, Role, Usage
from codeloop.core.errors import BudgetSpentError, ConfigError, UnavailableError
from codeloop.core.protocols import Model, Reply, Sampling, TokenLogprob
from codeloop.dataset.budget import Budget, Price, Purse, parse_budget
from codeloop.dataset.calls import Asking, StoredModel, call_key
from codeloop.dataset.store import Store

GREEDY = Sampling(temperature=0.0)
MESSAGES = st.lists(st.builds(Message, st.sampled_from(Role), st.text(max_size=9)), max_size=3)
SAMPLINGS = st.builds(
    Sampling,
    temperature=st.none() | st.floats(0, 2),
    max_tokens=st.none() | st.integers(1, 99),
    seed=st.none() | st.integers(0, 99),
    stop=st.lists(st.text(max_size=3), max_size=2).map(tuple),
)


class Echo:
    """Says how often it was asked; fails or waits if it is told to."""

    name = "echo"
    context_tokens = None

    def __init__(self, *, failures: int = 0, finish: Finish = Finish.STOP) -> None:
        self.asked = 0
        self.failures = failures
        self.finish = finish
        self.gate = threading.Event()
        self.gate.set()

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return len(messages)

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        timeout_s: float | None = None,
    ) -> Generator[str | Reply, None, None]:
        assert self.gate.wait(60)
        self.asked += 1
        if self.asked <= self.failures:
            msg = "busy"
            raise UnavailableError(msg)
        text = f"{messages[-1].content} {self.asked}"
        yield text
        yield Reply(text, self.finish, Usage(3, 2), (TokenLogprob("a", -0.5, (("b", -1.0),)),))

    def close(self) -> None: ...


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.db") as opened:
        yield opened


def asked(model: Model, text: str) -> Reply:
    *pieces, reply = model.stream([Message(Role.USER, text)], GREEDY)
    assert isinstance(reply, Reply)
    assert "".join(map(str, pieces)) == reply.text
    return reply


@given(MESSAGES, MESSAGES, SAMPLINGS, SAMPLINGS)
def test_two_calls_share_a_key_exactly_if_they_ask_the_same(
    one: list[Message], two: list[Message], first: Sampling, second: Sampling
) -> None:
    same = one == two and first == second
    assert (call_key("m", one, first) == call_key("m", two, second)) == same
    assert call_key("m", one, first) != call_key("n", one, first)
    assert call_key("m", one, first) != call_key("m", one, first, attempt=1)


def test_a_reply_is_bought_once_and_comes_back_whole(store: Store) -> None:
    model = Echo()
    bought = asked(StoredModel(model, store, Asking(), Purse()), "hi")
    again = StoredModel(Echo(), store, Asking(), Purse())
    assert asked(again, "hi") == bought
    assert (model.asked, again.asked, again.usage) == (1, 0, Usage(3, 2))


def test_another_attempt_asks_anew(store: Store) -> None:
    model = Echo()
    replies = {
        asked(StoredModel(model, store, Asking(), Purse(), attempt=n), "hi").text for n in (0, 1)
    }
    assert replies == {"hi 1", "hi 2"}


def test_a_failure_is_not_kept(store: Store) -> None:
    model = Echo(failures=1)
    stored = StoredModel(model, store, Asking(), Purse())
    with pytest.raises(UnavailableError):
        asked(stored, "hi")
    assert asked(stored, "hi").text == "hi 2"


def test_what_was_cut_by_the_clock_is_not_kept(store: Store) -> None:
    model = Echo(finish=Finish.CANCELLED)
    stored = StoredModel(model, store, Asking(), Purse())
    asked(stored, "hi")
    assert asked(stored, "hi").text == "hi 2"


def test_a_call_that_is_closed_early_is_not_kept(store: Store) -> None:
    model = Echo()
    stored = StoredModel(model, store, Asking(), Purse())
    with closing(stored.stream([Message(Role.USER, "hi")], GREEDY)) as stream:
        assert next(stream) == "hi 1"
    assert asked(stored, "hi").text == "hi 2"


def test_the_same_call_in_flight_is_made_once(store: Store) -> None:
    model = Echo()
    model.gate.clear()
    asking, purse = Asking(), Purse()
    with ThreadPoolExecutor(8) as pool:
        calls = [
            pool.submit(asked, StoredModel(model, store, asking, purse), f"{n % 2}")
            for n in range(8)
        ]
        model.gate.set()
        texts = [call.result().text for call in calls]
    assert model.asked == 2
    assert len(set(texts)) == 2
    assert not asking._turns


def test_no_call_is_made_when_the_budget_is_spent(store: Store) -> None:
    model, purse = Echo(), Purse(Budget(tokens=5))
    stored = StoredModel(model, store, Asking(), purse)
    asked(stored, "one")
    with pytest.raises(BudgetSpentError, match="5 tokens is spent"):
        asked(stored, "two")
    assert asked(stored, "one").text == "one 1"  # what is there costs nothing
    assert model.asked == 1


def test_no_call_is_made_after_a_stop(store: Store) -> None:
    purse = Purse()
    purse.stop()
    with pytest.raises(BudgetSpentError, match="stopped"):
        asked(StoredModel(Echo(), store, Asking(), purse), "one")


def test_money_is_counted_by_prices() -> None:
    purse = Purse(Budget(money=1.0), {"m": Price(1.0, 10.0)})
    purse.spend("m", Usage(500_000, 0))
    purse.check()
    purse.spend("m", Usage(0, 50_000))
    with pytest.raises(BudgetSpentError):
        purse.check()


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("3.50", Budget(money=3.5)),
        ("200000tokens", Budget(tokens=200_000)),
        ("2M tokens", Budget(tokens=2_000_000)),
        ("1 token", Budget(tokens=1)),
    ],
)
def test_a_budget_is_money_or_tokens(text: str, budget: Budget) -> None:
    assert parse_budget(text) == budget


@pytest.mark.parametrize("text", ["", "free", "-1", "2M", "1e3"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no budget"):
        parse_budget(text)
