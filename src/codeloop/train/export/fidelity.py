"""Whether an exported file says what the model says: next tokens compared, number by number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from codeloop.core.errors import DataError

F16_KL = 1e-4  # nats, mean over positions: what float16 costs is ten times less
TIE = 2 * F16_KL**0.5  # nats between two tokens: rounding alone decides which is first
"""0.02. A KL of k is errors of sqrt(2k) a log probability (its second-order term, half the mean
square), and sqrt(4k) between two of them: a gap that the divergence allowed above can close."""

NextLogprobs = Callable[[Sequence[int]], Sequence[float]]
"""The serving engine: natural log probabilities of the next token, after some tokens."""


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How near an engine with a file is to the model: `kl` in nats, mean over positions."""

    kl: float
    top1: float  # share of positions with the same likeliest token, or one that ties with it
    positions: int

    def check(self, what: str, *, most: float = F16_KL) -> None:
        """Refuse a file that says something else than the model.

        Raises:
            DataError: the mean KL is above `most`, or a likeliest token differs.
        """
        if self.kl > most or self.top1 < 1.0:
            msg = (
                f"{what}: not what was trained: KL {self.kl:.2g} (at most {most:.2g}), the same "
                f"likeliest token at {self.top1:.1%} of {self.positions} positions"
            )
            raise DataError(msg)


def compare(
    model: Any, engine: NextLogprobs, texts: Sequence[Sequence[int]], *, positions: int = 64
) -> Fidelity:
    """Return how near the engine is to the model, over positions spread through token sequences."""
    per_text = max(1, positions // max(1, len(texts)))
    divergences: list[float] = []
    same = 0
    for tokens in texts:
        places = np.unique(np.linspace(1, len(tokens), per_text, dtype=int))
        expected = _logprobs(model, tokens)
        for place in places:
            theirs = np.asarray(engine(tokens[:place]), dtype=np.float64)
            ours = expected[place - 1]
            divergences.append(_kl(ours, theirs))
            same += int(ours[theirs.argmax()] >= ours.max() - TIE)
    count = len(divergences)
    return Fidelity(float(np.mean(divergences)), same / count, count)


def _logprobs(model: Any, tokens: Sequence[int]) -> Any:
    """Return the model's log probabilities after each token: (tokens, vocabulary), float64."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([list(tokens)])).logits[0]
    return torch.log_softmax(logits.double(), dim=-1).numpy()


def _kl(ours: Any, theirs: Any) -> float:
    """Return the divergence of theirs from ours: sum of p (log p - log q), both made to sum to 1.

    Kullback and Leibler 1951.
    """
    theirs = theirs - np.logaddexp.reduce(theirs)
    weights = np.exp(ours)
    known = weights > 0
    return max(0.0, float(np.sum(weights[known] * (ours[known] - theirs[known]))))
