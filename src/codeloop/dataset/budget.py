"""What a run may cost, and what it has cost: tokens, or money by prices that a person names."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from codeloop.core.dialogue import Usage
from codeloop.core.errors import BudgetSpentError, ConfigError

_MILLION = 1_000_000
_LETTERS = {"": 1, "k": 1_000, "m": _MILLION, "g": 1_000 * _MILLION}


@dataclass(frozen=True, slots=True)
class Price:
    """Of a million tokens, in whatever money the person thinks in."""

    prompt: float = 0.0
    completion: float = 0.0

    def of(self, usage: Usage) -> float:
        """Return what so many tokens cost."""
        return (
            usage.prompt_tokens * self.prompt + usage.completion_tokens * self.completion
        ) / _MILLION


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent in all; None is no limit."""

    tokens: int | None = None
    money: float | None = None


@dataclass(slots=True)
class Purse:
    """Adds up what is spent and says when it was enough; threads share it.

    Calls in flight are not cut: a budget may be passed by what these still cost.
    """

    budget: Budget = Budget()
    prices: Mapping[str, Price] = field(default_factory=dict)
    tokens: int = 0
    money: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: bool = False

    def stop(self) -> None:
        """Let no further call be made, whatever is left."""
        self._stopped = True

    def spend(self, model: str, usage: Usage) -> None:
        """Add what a call has cost."""
        with self._lock:
            self.tokens += usage.total_tokens
            self.money += self.prices.get(model, Price()).of(usage)

    def check(self) -> None:
        """Say whether another call may be made.

        Raises:
            BudgetSpentError: it may not.
        """
        if self._stopped:
            msg = "stopped"
            raise BudgetSpentError(msg)
        tokens, money = self.budget.tokens, self.budget.money
        if tokens is not None and self.tokens >= tokens:
            msg = f"the budget of {tokens} tokens is spent ({self.tokens} so far)"
            raise BudgetSpentError(msg)
        if money is not None and self.money >= money:
            msg = f"the budget of {money:g} is spent ({self.money:.4f} so far)"
            raise BudgetSpentError(msg)


def parse_budget(text: str) -> Budget:
    """Return the budget of a text: `3.50` is money, `200000tokens` and `2Mtokens` are tokens.

    Raises:
        ConfigError: it is neither.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?)(\s*tokens?)?", text.strip(), re.IGNORECASE)
    if found is None or (found[2] and not found[3]):
        msg = f"no budget: {text!r}; it looks like 3.50 (money) or 200000tokens or 2Mtokens"
        raise ConfigError(msg)
    if found[3]:
        return Budget(tokens=int(float(found[1]) * _LETTERS[found[2].lower()]))
    return Budget(money=float(found[1]))
