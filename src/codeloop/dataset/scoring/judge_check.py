"""Measures how a judge's scores agree with labels of difficulty: every combination and order."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from codeloop.core.errors import DataError
from codeloop.core.protocols import Model
from codeloop.core.records import from_json, to_json
from codeloop.dataset.keys import chooser
from codeloop.dataset.records import Query
from codeloop.dataset.scoring.agreement import Figure, auc, auc_difference, spearman
from codeloop.dataset.scoring.complexity import (
    KEEP_FROM,
    Combination,
    Complexity,
    Order,
    Rating,
    Scale,
    asks_second,
    combine,
    rate,
)

LEVELS = ("easy", "medium", "hard")
DIFFICULTY = "difficulty"  # the key of a query's `meta` that holds its label


@dataclass(frozen=True, slots=True)
class Labelled:
    """A query and its level of difficulty, from 0 up."""

    query: Query
    level: int


@dataclass(frozen=True, slots=True)
class Noted:
    """A rating of a labelled query, as a line of the file that a measurement goes on from."""

    query_id: str
    level: int
    rating: Rating
    model: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """How one combination in one order agrees with the labels, and what it costs a query.

    `kept` is the share that passes, level by level; a failure passes nowhere. `against` is how
    much more area it has than the first row. `wall_s` is the calls' time by those in flight.
    """

    combination: Combination
    order: Order
    queries: int
    failures: tuple[tuple[str, int], ...]
    correlation: Figure
    area: Figure
    against: Figure
    kept: tuple[float, ...]
    calls: float
    prompt_tokens: float
    completion_tokens: float
    wall_s: float


def labelled(
    queries: Iterable[Query], levels: Sequence[str] = LEVELS, *, longest: int | None = None
) -> list[Labelled]:
    """Return the queries whose `meta` names one of the levels; letter case does not count.

    Those of more than `longest` characters are left out.
    """
    known = {name.lower(): level for level, name in enumerate(levels)}
    short = (query for query in queries if longest is None or len(query.query) <= longest)
    found = ((query, dict(query.meta).get(DIFFICULTY, "").lower()) for query in short)
    return [Labelled(query, known[name]) for query, name in found if name in known]


def draw(cases: Sequence[Labelled], per_level: int, seed: int) -> list[Labelled]:
    """Return as many cases of each level, drawn by the seed, in the order of their ids.

    Raises:
        DataError: a level has fewer.
    """
    drawn = []
    for level in sorted({case.level for case in cases}):
        of_level = sorted(
            (case for case in cases if case.level == level), key=lambda case: case.query.id
        )
        if len(of_level) < per_level:
            msg = f"{len(of_level)} queries of level {level}; {per_level} were asked for"
            raise DataError(msg)
        drawn += chooser(str(seed), f"level {level}").sample(of_level, per_level)
    return sorted(drawn, key=lambda case: case.query.id)


def of_cases(noted: Iterable[Noted], cases: Sequence[Labelled], model: str) -> list[Noted]:
    """Return a model's ratings of these cases: a file may hold those of others, too."""
    ids = {case.query.id for case in cases}
    return [each for each in noted if each.model == model and each.query_id in ids]


Asked = tuple[Labelled, Scale, Order]


def still_to_ask(
    cases: Sequence[Labelled], orders: Sequence[Order], done: Iterable[Noted]
) -> list[Asked]:
    """Return what was not rated yet.

    One scale and order after the other, so that their prompts share what a model keeps of them.
    """
    have = {(each.query_id, each.rating.scale, each.rating.order) for each in done}
    return [
        (case, scale, order)
        for order, scale in product(orders, Scale)
        for case in cases
        if (case.query.id, scale, order) not in have
    ]


def measure(asked: Sequence[Asked], model: Model, *, in_flight: int) -> Iterator[Noted]:
    """Yield a rating for each that is asked, in order, all with logprobs."""
    with ThreadPoolExecutor(in_flight) as threads:
        yield from threads.map(lambda each: _noted(each, model), asked)


def read_noted(path: Path) -> list[Noted]:
    """Return what was measured before; a last line that was cut off is left out.

    Raises:
        DataError: the file cannot be read, or another line is no rating.
    """
    if not path.exists():
        return []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise DataError(msg) from error
    noted = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            noted.append(from_json(Noted, json.loads(line)))
        except ValueError as error:
            msg = f"{path}:{number}: not a rating: {error}"
            raise DataError(msg) from error
    return noted


def write_noted(path: Path, noted: Iterable[Noted], *, anew: bool = False) -> None:
    """Add ratings to a file, or write it anew: a line that was cut off must not stay in it.

    Raises:
        DataError: the file cannot be written.
    """
    try:
        with path.open("w" if anew else "a", encoding="utf-8") as file:
            file.writelines(json.dumps(to_json(each)) + "\n" for each in noted)
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise DataError(msg) from error


def agreements(
    noted: Sequence[Noted], *, in_flight: int, keep_from: float = KEEP_FROM
) -> list[Agreement]:
    """Return a row for each combination and order that was measured; the default comes first.

    A query counts in an order once both prompts were asked.
    """
    first: dict[str, float] = {}
    rows = []
    for order, combination in product(Order, Combination):
        of_order = [each for each in noted if each.rating.order is order]
        ratings = {(each.query_id, each.rating.scale): each.rating for each in of_order}
        levels = {
            each.query_id: each.level
            for each in of_order
            if all((each.query_id, scale) in ratings for scale in Scale)
        }
        if not levels:
            continue
        scored = {
            query_id: _combined(query_id, ratings, combination, keep_from) for query_id in levels
        }
        values = {key: each.value for key, each in scored.items() if each.value is not None}
        first = first or values
        rows.append(_agreement(scored, levels, first, (combination, order, keep_from), in_flight))
    return rows


def page(rows: Sequence[Agreement], levels: Sequence[str] = LEVELS) -> str:
    """Return the rows as a Markdown table."""
    head = ["order", "combination", "scored", "Spearman", f"AUC {levels[-1]} over {levels[0]}",
            "AUC less the first row's", *(f"{name} kept" for name in levels),
            "calls", "tokens in + out", "s a query"]  # fmt: skip
    lines = [_line(head), _line(["---"] * len(head))]
    for row in rows:
        failed = sum(count for _, count in row.failures)
        kinds = ", ".join(f"{count} {kind}" for kind, count in row.failures)
        cells = [row.order.value, row.combination.value,
                 f"{row.queries - failed} of {row.queries}" + (f" ({kinds})" if kinds else ""),
                 _shown(row.correlation), _shown(row.area), _shown(row.against),
                 *(f"{100 * each:.0f} %" for each in row.kept), f"{row.calls:.2f}",
                 f"{row.prompt_tokens:.0f} + {row.completion_tokens:.1f}",
                 f"{row.wall_s:.2f}"]  # fmt: skip
        lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def _noted(asked: Asked, model: Model) -> Noted:
    case, scale, order = asked
    rating = rate(case.query.query, model, scale, order, logprobs=True)
    return Noted(case.query.id, case.level, rating, model.name)


def _combined(
    query_id: str,
    ratings: dict[tuple[str, Scale], Rating],
    combination: Combination,
    keep_from: float,
) -> Complexity:
    """Return what `score()` would have, from ratings that were all asked for."""
    asked = [ratings[query_id, Scale.PLAIN]]
    if asks_second(asked[0], combination, keep_from):
        asked.append(ratings[query_id, Scale.HARSH])
    return combine(asked, combination)


def _agreement(
    scored: dict[str, Complexity],
    levels: dict[str, int],
    first: dict[str, float],
    how: tuple[Combination, Order, float],
    in_flight: int,
) -> Agreement:
    combination, order, keep_from = how
    values = {key: each.value for key, each in scored.items() if each.value is not None}
    lowest, highest = min(levels.values()), max(levels.values())
    pairs = {
        level: [(first[key], value) for key, value in values.items()
                if levels[key] == level and key in first]
        for level in (lowest, highest)
    }  # fmt: skip
    used = [rating for each in scored.values() for rating in each.ratings]
    failed = Counter(each.failure.kind.value for each in scored.values() if each.failure)
    return Agreement(
        combination,
        order,
        len(scored),
        tuple(sorted(failed.items())),
        spearman(list(values.values()), [float(levels[key]) for key in values]),
        auc(
            [value for key, value in values.items() if levels[key] == lowest],
            [value for key, value in values.items() if levels[key] == highest],
        ),
        auc_difference(pairs[lowest], pairs[highest]),
        tuple(
            _share([scored[key].passes(keep_from) for key in scored if levels[key] == level])
            for level in range(highest + 1)
        ),
        len(used) / len(scored),
        sum(rating.usage.prompt_tokens for rating in used) / len(scored),
        sum(rating.usage.completion_tokens for rating in used) / len(scored),
        sum(rating.wall_s for rating in used) / len(scored) / in_flight,
    )


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags) if flags else 0.0


def _shown(figure: Figure) -> str:
    if figure.value is None:
        return "-"
    if figure.interval is None:
        return f"{figure.value:.2f}"
    return f"{figure.value:.2f} ({figure.interval[0]:.2f} to {figure.interval[1]:.2f})"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
