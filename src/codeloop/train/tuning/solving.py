"""Whether a model that is being trained solves problems: what is asked, and what is answered."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from codeloop.core.errors import ConfigError
from codeloop.core.records import from_json
from codeloop.train.config import TrainConfig, known_keys

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Solved:
    """How many of the held-out problems a model solves, with intervals for the rates (0 to 1).

    `first` counts those that the first turn solves, `after` those that are solved at the end,
    with feedback from visible tests.
    """

    problems: int
    first: int
    after: int
    first_interval: Interval
    after_interval: Interval

    def figures(self) -> dict[str, float]:
        """Return the rates as they are logged."""
        return {
            "solved_first": self.first / self.problems,
            "solved_first_low": self.first_interval[0],
            "solved_first_high": self.first_interval[1],
            "solved_after": self.after / self.problems,
            "solved_after_low": self.after_interval[0],
            "solved_after_high": self.after_interval[1],
            "solved_problems": float(self.problems),
        }


Solve = Callable[[Path], Solved]
"""Have the model that a folder serves try the held-out problems, by the loop and the judge."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The section `evaluate` of a config: which problems are tried, when, and how."""

    benchmark: str
    problems: int = 50  # the first so many
    every: int = 0  # steps; 0: before the first and after the last alone
    turns: int = 2
    max_tokens: int = 512
    in_flight: int = 4


def held_out(config: TrainConfig) -> HeldOut | None:
    """Return which problems a config has tried; None for none.

    Raises:
        ConfigError: a key is not known, or a value is not what it should be.
    """
    if not config.evaluate:
        return None
    where = f"{config.path}: evaluate"
    known_keys(config.evaluate, HeldOut.__dataclass_fields__, where)
    try:
        return from_json(HeldOut, dict(config.evaluate))
    except ValueError as error:
        msg = f"{where}: {error}"
        raise ConfigError(msg) from error
