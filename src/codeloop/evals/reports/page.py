"""One HTML file that holds all of a run, or of a comparison, and asks nothing of any network."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from importlib.resources import files
from typing import Any

from codeloop.core import records
from codeloop.core.dialogue import Dialogue
from codeloop.core.errors import DataError
from codeloop.evals.metrics import wilson
from codeloop.evals.reports.comparison import Comparisons, Run
from codeloop.evals.reports.figures import Summary, outcome, outcomes, passes, sets_of, stop_turn
from codeloop.evals.reports.published import family
from codeloop.evals.reports.strict import strict_turns
from codeloop.evals.reports.tables import (
    LEAKING,
    Table,
    comparison_tables,
    count_tables,
    published_table,
    rate_table,
    settings_table,
    strict_table,
    turn_table,
)
from codeloop.evals.rows import Row
from codeloop.evals.settings import Settings
from codeloop.loop.prompts import feedback_text

_MARK = re.compile(r"<!--(\w+)-->|__(\w+)__")
_HALF = 0.5
# A page holds no time: it is the same for a run that was killed and went on.
_SECONDS = frozenset({"cpu_s", "model_s", "wall_s"})

Json = dict[str, Any]


class Outcome(StrEnum):
    """What became of a dialogue."""

    FIRST = "first"  # solved by the first turn
    LATER = "later"  # solved by a later one
    LOST = "lost"  # solved once, but not in the end
    BASE = "base"  # passes the base tests alone
    WRONG = "wrong"
    ERROR = "error"  # a model call failed


def run_page(
    settings: Settings, summary: Summary, rows: Sequence[Row], *, language: str = "python"
) -> str:
    """Return the page of a run.

    Raises:
        DataError: a record holds no dialogue.
    """
    tests = sets_of(rows)[-1]
    beside = published_table([(settings, summary)]) if family(settings.benchmark) else None
    tables = {
        "rates": rate_table(settings, summary),
        "turns": turn_table(summary),
        "more": [strict_table(settings, summary), *count_tables(summary)],
        "settings": settings_table(settings),
        "published": beside,
    }
    data = {
        "kind": "run",
        "title": settings.model,
        "about": settings.benchmark,
        "leaking": LEAKING if settings.leaks else "",
        "leaks": summary.leaks,
        "tests": tests,
        "tiles": _tiles(settings, summary, tests),
        "curve": _curve(summary),
        "tables": _plain(tables),
        "index": [_entry(row, tests, settings) for row in rows],
    }
    details = [_detail(row, tests, language) for row in rows]
    return _filled(f"{settings.benchmark}: {settings.model}", data, details)


def comparison_page(found: Comparisons, runs: Sequence[Run]) -> str:
    """Return the page of runs compared."""
    data = {
        "kind": "comparison",
        "title": " and ".join(found.runs),
        "about": runs[0].settings.benchmark,
        "tables": _plain({"more": [*comparison_tables(found), _where_they_differ(found, runs)]}),
    }
    return _filled(f"Compared: {data['title']}", data, [])


def _where_they_differ(found: Comparisons, runs: Sequence[Run]) -> Table:
    by_run = [outcomes(run.rows, found.tests, found.stop) for run in runs]
    shared = [name for name in by_run[0] if all(name in each for each in by_run)]
    rows = []
    for name in shared:
        shares = [sum(each[name]) / len(each[name]) for each in by_run]
        if len({share > _HALF for share in shares}) > 1:
            rows.append([name, *("✓" if share > _HALF else "✗" for share in shares)])
    note = f"{len(rows)} of {len(shared)} problems are solved by some of the runs, not by all."
    return Table("Where they differ", ["problem", *found.runs], rows, note)


def _plain(tables: Mapping[str, Any]) -> Json:
    """Return tables as plain values."""
    return {
        key: [asdict(each) for each in value] if isinstance(value, list) else asdict(value)
        for key, value in tables.items()
        if value is not None
    }


def _tiles(settings: Settings, summary: Summary, tests: str) -> list[Json]:
    """Return the figures that stand large at the top."""
    tiles = []
    for name, rates in reversed(summary.rates.items()):
        rate = rates[settings.stop]
        low, high = (f"{100 * end:.1f}" for end in rate.interval)
        note = f"{rate.passed} of {rate.total}; 95 %: {low} to {high}"
        tiles.append({"name": f"solved, {name} tests", "value": _percent(rate.rate), "note": note})
    course, last = summary.course, summary.costs[-1:]
    if course.recovery is not None:
        note = "wrong, then right, of all wrong that went on"
        tiles.append({"name": "recovery", "value": _percent(course.recovery), "note": note})
    if course.regression is not None:
        note = "right, then wrong, of all right that went on"
        tiles.append({"name": "regression", "value": _percent(course.regression), "note": note})
    if last and last[0].tokens_per_solved is not None:
        value = f"{last[0].tokens_per_solved:.0f}"
        note = f"{summary.completion_tokens:,} written, {summary.prompt_tokens:,} read"
        tiles.append({"name": "tokens per solved", "value": value, "note": note})
    judged = summary.records - summary.errors
    note = f"{summary.forgeable} of {judged}: solution and tests shared a process"
    share = _percent(summary.forgeable / judged) if judged else "-"
    return [*tiles, {"name": "forgeable verdicts", "value": share, "note": note}]


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f} %"


def _curve(summary: Summary) -> list[Json]:
    """Return solved and ever solved by turn, with Wilson's interval of the first."""
    total = summary.records - summary.errors
    return [
        {"solved": now, "ever": ever, "interval": wilson(round(now * total), total)}
        for now, ever in zip(summary.course.solved, summary.course.ever, strict=True)
    ]


def _entry(row: Row, tests: str, settings: Settings) -> Json:
    """Return what grid and filters need of a dialogue."""
    name = row["problem"]
    label = f"{name} #{row['sample']}" if settings.samples > 1 else name
    if row.get("error"):
        return {"label": label, "outcome": Outcome.ERROR, "reasons": []}
    reasons = [turn["reason"] for turn in row["turns"]]
    return {"label": label, "outcome": _outcome(row, tests, settings), "reasons": reasons}


def _outcome(row: Row, tests: str, settings: Settings) -> Outcome:
    turns = row["turns"]
    if outcome(row, tests, settings.stop):
        return Outcome.FIRST if passes(turns[0], tests) else Outcome.LATER
    if any(passes(turn, tests) for turn in turns):
        return Outcome.LOST
    end = turns[stop_turn(turns, settings.stop)]
    return Outcome.BASE if passes(end, "base") else Outcome.WRONG


def _detail(row: Row, tests: str, language: str) -> Json:
    """Return all of a dialogue: its messages as a model is shown them, and each turn's verdicts."""
    if row.get("error"):
        return {"error": row["error"], "messages": [], "turns": []}
    try:
        dialogue = records.from_json(Dialogue, row["dialogue"])
    except ValueError as error:
        msg = f"the record of {row['problem']} holds no dialogue: {error}"
        raise DataError(msg) from error
    shown = [{"role": each.role, "text": each.content} for each in dialogue.opening]
    turns = []
    strict = strict_turns(row, language)
    for turn, facts, is_strict in zip(dialogue.turns, row["turns"], strict, strict=True):
        own = {key: value for key, value in facts.items() if key not in _SECONDS}
        own |= {"passed": passes(facts, tests), "strict": is_strict}
        own |= {"reply": turn.reply, "told": feedback_text(turn), "finish": turn.finish}
        turns.append(own)
    return {
        "messages": shown,
        "turns": turns,
        "leaks": row["leaks"],
        "reason": row["reason"],
        "tokens": [row["prompt_tokens"], row["completion_tokens"]],
    }


def _filled(title: str, data: Json, details: Sequence[Json]) -> str:
    """Return the template with all that it asks for; what is filled in is not looked at again."""
    style, script = _asset("page.css"), _asset("page.js")
    blocks = [
        f'<script type="application/json" id="dialogue-{at}">{_json(detail)}</script>'
        for at, detail in enumerate(details)
    ]
    parts = {
        "title": html.escape(title),
        "policy": f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        "style": f"<style>{style}</style>",
        "script": f"<script>{script}</script>",
        "data": f'<script type="application/json" id="data">{_json(data)}</script>',
        "dialogues": "\n".join(blocks),
    }
    return _MARK.sub(lambda mark: parts[mark[1] or mark[2]], _asset("page.html"))


def _json(value: object) -> str:
    """Return JSON that no HTML parser mistakes for a tag, and no lone surrogate breaks."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _asset(name: str) -> str:
    return files("codeloop.evals.reports").joinpath("assets", name).read_text(encoding="utf-8")
