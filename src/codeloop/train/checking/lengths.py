"""How long rows are: what is cut, what padding costs, what packing saves."""

import bisect
import random
from collections.abc import Sequence
from dataclasses import dataclass

LENGTHS = (512, 1024, 2048, 4096, 8192)
BATCHES = (1, 4, 8, 16)
_BARS = 24
_SHARES = (5, 25, 50, 75, 95, 100)  # percent


@dataclass(frozen=True, slots=True)
class Lengths:
    """Figures about the tokens of rows; shares are between 0 and 1.

    `bars` are (from, to, rows). `cut` says for each length which rows it cuts and which tokens it
    leaves out. `padding` is the share of slots that hold nothing, by rows in a batch, and `packed`
    that of packed sequences; both at the length of the config.
    """

    rows: int
    tokens: int
    percentiles: tuple[tuple[int, int], ...]
    bars: tuple[tuple[int, int, int], ...]
    cut: tuple[tuple[int, float, float], ...]
    padding: tuple[tuple[int, float], ...]
    packed: float


def lengths(tokens: Sequence[int], *, max_length: int, seed: int = 0) -> Lengths:
    """Return the figures of rows that have so many tokens each."""
    ordered = sorted(tokens)
    total = sum(ordered)
    kept = [min(each, max_length) for each in tokens]
    last = len(ordered) - 1
    wanted = sorted({*LENGTHS, max_length} & set(range((ordered[-1] if ordered else 0) * 2)))
    return Lengths(
        len(ordered),
        total,
        tuple((share, ordered[last * share // 100]) for share in _SHARES) if ordered else (),
        _bars(ordered),
        tuple(_cut(ordered, total, each) for each in wanted),
        tuple((batch, _padding(kept, batch, seed)) for batch in BATCHES),
        _packed(kept, max_length),
    )


def _bars(ordered: Sequence[int]) -> tuple[tuple[int, int, int], ...]:
    if not ordered:
        return ()
    width = max(1, -(-(ordered[-1] + 1) // _BARS))
    edges = [at * width for at in range(_BARS + 1)]
    places = [bisect.bisect_left(ordered, edge) for edge in edges]
    bars = zip(edges, edges[1:], places, places[1:], strict=False)
    return tuple((start, end, until - begin) for start, end, begin, until in bars)


def _cut(ordered: Sequence[int], total: int, length: int) -> tuple[int, float, float]:
    over = ordered[bisect.bisect_right(ordered, length) :]
    lost = sum(over) - length * len(over)
    return length, len(over) / max(1, len(ordered)), lost / max(1, total)


def _padding(kept: Sequence[int], batch: int, seed: int) -> float:
    """Return the share of empty slots when rows are put into batches at random."""
    shuffled = list(kept)
    random.Random(seed).shuffle(shuffled)  # noqa: S311  reproducible is what is wanted
    groups = [shuffled[at : at + batch] for at in range(0, len(shuffled), batch)]
    slots = sum(max(group) * len(group) for group in groups)
    return 1 - sum(kept) / slots if slots else 0.0


def _packed(kept: Sequence[int], length: int) -> float:
    """Return the share of empty slots when rows are packed, best fit, longest first."""
    room: list[int] = []  # what is left in each sequence, in order
    for tokens in sorted(kept, reverse=True):
        at = bisect.bisect_left(room, tokens)
        left = room.pop(at) - tokens if at < len(room) else length - tokens
        bisect.insort(room, left)
    slots = length * len(room)
    return 1 - sum(kept) / slots if slots else 0.0
