"""Plots of a dataset as SVG, the same bytes for the same counts: matplotlib, extra `dataset`."""

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from codeloop.core.errors import DataError, MissingExtraError
from codeloop.publishing.card import Reports
from codeloop.publishing.facts import Facts, most_common

_COLOUR = "#2b6cb0"
_BARS_INCHES = 0.28
_SCORES = 5


def write_plots(folder: Path, facts: Facts, reports: Reports) -> list[Path]:
    """Write those plots that there are counts for: funnel, turns, error kinds, faults, scores.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DataError: a file cannot be written.
    """
    stages = reports.funnel.get("stages", [])
    bars: dict[str, tuple[str, Sequence[tuple[str, int]]]] = {
        "funnel": ("rows after each stage", [(each["stage"], _after(each)) for each in stages]),
        "turns": ("dialogues by turns", [(str(n), facts.turns[n]) for n in sorted(facts.turns)]),
        "errors": ("how code failed", most_common(facts.errors)),
        "faults": ("planted faults", most_common(facts.faults)),
    }
    written = []
    for name, (title, pairs) in bars.items():
        if pairs:
            draw = partial(_bars, pairs=pairs, title=title)
            written.append(_write(folder / f"{name}.svg", draw))
    matrix = _scores(stages)
    if any(map(any, matrix)):
        written.append(_write(folder / "scores.svg", partial(_matrix, matrix=matrix)))
    return written


def _after(stage: Mapping[str, Any]) -> int:
    """Return how many rows there are after a stage: those it made, and those that went past."""
    return int(stage["made"]) + int(stage.get("past", 0))


def _scores(stages: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """Return how often each pair of scores came in the stages that say so (`4 5`)."""
    matrix = [[0] * _SCORES for _ in range(_SCORES)]
    for stage in stages:
        for pair, number in stage.get("seen", {}).items():
            places = [int(each) - 1 for each in pair.split()]
            if len(places) == 2:  # noqa: PLR2004  both prompts were asked
                matrix[places[0]][places[1]] += number
    return matrix


def _write(path: Path, draw: Callable[[Any], tuple[float, float]]) -> Path:
    try:
        import matplotlib as mpl  # noqa: PLC0415  an extra
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        msg = "plots need the extra `dataset`: pip install 'codeloop[dataset]'"
        raise MissingExtraError(msg) from error
    with mpl.rc_context({"svg.hashsalt": "codeloop", "svg.fonttype": "none"}):
        figure = Figure()
        axes = figure.add_subplot()
        figure.set_size_inches(*draw(axes))
        figure.tight_layout()
        data = io.BytesIO()
        figure.savefig(data, format="svg", metadata={"Date": None, "Creator": "codeloop"})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.getvalue())
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror})"
        raise DataError(msg) from error
    return path


def _bars(axes: Any, pairs: Sequence[tuple[str, int]], title: str) -> tuple[float, float]:
    """Draw counts as bars, the first on top; return the size in inches."""
    names, numbers = [name for name, _ in pairs], [number for _, number in pairs]
    drawn = axes.barh(range(len(pairs)), numbers, color=_COLOUR)
    axes.set_yticks(range(len(pairs)), names)
    axes.invert_yaxis()
    axes.bar_label(drawn, padding=3)
    axes.set_title(title)
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    return 7.0, 1.2 + _BARS_INCHES * len(pairs)


def _matrix(axes: Any, matrix: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Draw how often each pair of scores came, the first prompt's down, the second's across."""
    axes.imshow(matrix, cmap="Blues")
    for row, numbers in enumerate(matrix):
        for column, number in enumerate(numbers):
            axes.text(column, row, str(number), ha="center", va="center")
    scores = range(len(matrix))
    axes.set_xticks(scores, [str(each + 1) for each in scores])
    axes.set_yticks(scores, [str(each + 1) for each in scores])
    axes.set_xlabel("second prompt")
    axes.set_ylabel("first prompt")
    axes.set_title("complexity scores")
    return 4.5, 4.5
