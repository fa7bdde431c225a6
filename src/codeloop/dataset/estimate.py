"""What a run is still to do and may cost, by what its rows took so far; asks no model."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from codeloop.core.dialogue import Usage
from codeloop.dataset.budget import Price
from codeloop.dataset.means import Surroundings
from codeloop.dataset.records import Malformed
from codeloop.dataset.stages import SetStage, Shop, Stage, takes

_PROMPT_TOKENS = 600  # of a call of which nothing is known
_COMPLETION_TOKENS = 400


@dataclass(slots=True)
class _Count:
    """What is known of one stage."""

    known: int = 0
    made: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    to_do: float = 0.0

    @property
    def share(self) -> float:
        """How many rows it makes of one."""
        return self.made / self.known if self.known else 1.0


def estimate(
    stages: Sequence[Stage | SetStage],
    shop: Shop,
    surroundings: Surroundings,
    rows: Iterable[Any],
) -> Iterator[str]:
    """Yield a line for each stage and one for the whole.

    Rows that are done tell what the others will take. Stages that need all rows are taken to
    let all of them pass, so that what comes after them is an estimate from above.
    """
    counts = [_Count() for _ in stages]
    read = 0
    for row in rows:
        if not isinstance(row, Malformed):
            read += 1
            _follow(row, stages, shop, counts)
    yield f"{read} rows to take through {len(stages)} stages"
    coming = 0.0
    usage = Usage()
    money = 0.0
    for stage, count in zip(stages, counts, strict=True):
        to_do = count.to_do + coming
        coming = to_do * count.share
        if isinstance(stage, SetStage):
            yield f"{stage.name}: worked out anew each time, asks no model"
            continue
        each, how = _each(stage, count)
        total = Usage(round(each.prompt_tokens * to_do), round(each.completion_tokens * to_do))
        usage = Usage(
            usage.prompt_tokens + total.prompt_tokens,
            usage.completion_tokens + total.completion_tokens,
        )
        money += _price(stage, surroundings).of(total)
        yield (
            f"{stage.name}: {count.known} done, about {to_do:.0f} to do, "
            f"{total.prompt_tokens} + {total.completion_tokens} tokens ({how})"
        )
    yield (
        f"in all about {usage.prompt_tokens} tokens to read and {usage.completion_tokens} to "
        f"write, {money:.2f} by the config's prices"
    )


def _follow(
    row: Any, stages: Sequence[Stage | SetStage], shop: Shop, counts: Sequence[_Count]
) -> None:
    """Follow a row as far as its outcomes are known."""
    passing = [row]
    for stage, count in zip(stages, counts, strict=True):
        if isinstance(stage, SetStage):
            continue
        made: list[Any] = []
        for each in passing:
            if not takes(stage, each):
                made.append(each)
                continue
            outcome = shop.known(stage, each)
            if outcome is None:
                count.to_do += 1
                continue
            count.known += 1
            count.made += len(outcome.rows)
            count.prompt_tokens += outcome.usage.prompt_tokens
            count.completion_tokens += outcome.usage.completion_tokens
            made += outcome.rows
        passing = made


def _each(stage: Stage, count: _Count) -> tuple[Usage, str]:
    """Return what a row takes, and how that is known."""
    if not stage.calls:
        return Usage(), "asks no model"
    if count.known:
        mean = Usage(count.prompt_tokens // count.known, count.completion_tokens // count.known)
        return mean, f"as {count.known} rows took"
    guess = Usage(stage.calls * _PROMPT_TOKENS, stage.calls * _COMPLETION_TOKENS)
    return guess, f"a guess: {stage.calls} calls a row; run some rows with --limit first"


def _price(stage: Stage, surroundings: Surroundings) -> Price:
    """Return the highest price among the models that a stage asks."""
    prices = surroundings.purse.prices
    found = [prices.get(surroundings.played(role).model.name, Price()) for role in stage.roles]
    return Price(
        max((each.prompt for each in found), default=0.0),
        max((each.completion for each in found), default=0.0),
    )
