"""What an evaluation is to be: all that its figures depend on, and nothing else."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from codeloop.core.errors import ConfigError


class FeedbackKind(StrEnum):
    """What a model is told after a turn that fails the visible tests."""

    NONE = "none"  # nothing: one turn
    EXECUTION = "execution"  # what came of testing it
    HUMAN = "human"  # what somebody says who has seen that; a model plays them
    ORACLE = "oracle"  # the same, and they have seen a right solution
    RETRY = "retry"  # a control: that it should try again
    SHUFFLED = "shuffled"  # a control: what came of testing another problem


class Visible(StrEnum):
    """Which tests feedback may rest on."""

    EXAMPLES = "examples"  # those that the prompt shows
    BASE = "base"
    ALL = "all"  # the hidden ones too, as in the paper: what is measured has leaked


class Stop(StrEnum):
    """When a dialogue ends before its last turn."""

    VISIBLE = "visible"  # the visible tests pass
    SELF = "self"  # the model says that it is done
    ORACLE = "oracle"  # the deciding tests pass: an upper bound


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a run; two runs with the same ones may be parts of one."""

    benchmark: str
    model: str
    feedback: FeedbackKind = FeedbackKind.NONE
    turns: int = 1
    samples: int = 1
    visible: Visible = Visible.EXAMPLES
    stop: Stop = Stop.VISIBLE
    temperature: float | None = 0.0
    max_tokens: int | None = 1024
    seed: int | None = None
    person: str = ""  # the model that plays the human
    explain: bool = False  # whether feedback shows which values the code saw in the failing test
    protocol: int = 2  # goes up when what a model is shown changes

    @property
    def leaks(self) -> bool:
        """Whether a model may be told of the tests that it is measured by."""
        return self.visible is Visible.ALL or self.stop is Stop.ORACLE

    @property
    def digest(self) -> str:
        """What is the same for the same settings, and for no others.

        What is younger than the first runs counts only where it is set.
        """
        facts = asdict(self)
        if not self.explain:
            del facts["explain"]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


# OpenCodeInterpreter's own protocol (arXiv 2402.14658, section 4; its MAX_TRY is 2).
PRESETS: dict[str, dict[str, object]] = {
    "paper-single": {"feedback": FeedbackKind.NONE, "turns": 1},
    "paper-exec": {"feedback": FeedbackKind.EXECUTION, "turns": 2, "visible": Visible.ALL},
    "paper-human": {"feedback": FeedbackKind.HUMAN, "turns": 2, "visible": Visible.ALL},
    "paper-oracle": {"feedback": FeedbackKind.ORACLE, "turns": 2, "visible": Visible.ALL},
}


_PLAYED = frozenset({FeedbackKind.HUMAN, FeedbackKind.ORACLE})


def checked(settings: Settings) -> Settings:
    """Return settings that fit together.

    Raises:
        ConfigError: they do not.
    """
    if settings.feedback in _PLAYED and not settings.person:
        msg = f"--feedback {settings.feedback} needs --person: the model that plays the human"
        raise ConfigError(msg)
    if settings.explain and settings.feedback not in {FeedbackKind.EXECUTION, *_PLAYED}:
        msg = f"--explain adds to what a test has shown: --feedback {settings.feedback} does not"
        raise ConfigError(msg)
    if settings.turns < 1 or settings.samples < 1:
        msg = "--turns and --samples should be 1 or more"
        raise ConfigError(msg)
    if settings.samples > 1 and not settings.temperature:
        msg = "--samples needs --temperature above 0: greedy samples are all the same"
        raise ConfigError(msg)
    if settings.feedback is FeedbackKind.NONE:
        return replace(settings, turns=1)
    return settings
