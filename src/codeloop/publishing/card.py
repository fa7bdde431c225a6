"""The data card: Markdown with a YAML head, made from the counts and reports of a run."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.resources import files
from typing import Any

from codeloop.core.errors import DataError
from codeloop.dataset.records import Example, VerifiedReason
from codeloop.loop.prompts import render
from codeloop.publishing.facts import Facts, most_common

_ABOUT = (
    "Dialogues in which a model writes code, the code is run, and the answer is refined. Made with "
    "codeloop; every number here is counted from the files beside it."
)
_SHOWN_CHARS = 1200  # of a message of an example row
_SHOWN_COUNTS = 12  # of many by name
_KEPT = frozenset({VerifiedReason.CONFIRMED.value, VerifiedReason.NOTHING_RAN.value})
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LICENCES = {
    "MIT": "mit",
    "Apache-2.0": "apache-2.0",
    "CC-BY-4.0": "cc-by-4.0",
    "CC-BY-SA-4.0": "cc-by-sa-4.0",
}


@dataclass(frozen=True, slots=True)
class Reports:
    """What a run says of itself, as its JSON files hold it; what there is not stays empty."""

    funnel: dict[str, Any] = field(default_factory=dict)  # `funnel.json` of a run
    mutation: dict[str, Any] = field(default_factory=dict)  # FILE.report.json of `mutate`
    contamination: dict[str, Any] = field(default_factory=dict)  # level to counts
    cost: dict[str, Any] = field(default_factory=dict)


def card(name: str, facts: Facts, shown: Sequence[Example], reports: Reports) -> str:
    """Return the card of a dataset; `shown` are the example rows."""
    parts = [
        _head(name, facts),
        f"# {name}",
        _ABOUT,
        "## Dialogues by way",
        _ways(facts),
        *_section("Stages", _funnel(reports.funnel)),
        *_section("Planted faults", _mutation(reports.mutation)),
        "## Verification",
        _verification(facts),
        *_section("How code failed", _table(("failure", "times"), most_common(facts.errors))),
        "## Sources and licences",
        _table(
            ("source", "licence", "samples"),
            [(*pair, number) for pair, number in sorted(facts.sources.items())],
        ),
        "## Languages",
        _table(("language", "samples"), sorted(facts.languages.items())),
        "## Models",
        _table(("model", "samples"), sorted(facts.models.items()))
        or "No model took part: replies are made from the code, the edit and the run.",
        *_section("Cost", _pairs(reports.cost)),
        *_section("Contamination", _pairs(reports.contamination)),
        "## Prompts",
        "All text for a model and all templates, by the start of their SHA-256:",
        _table(("text", "SHA-256"), prompt_digests()),
        "## Example rows",
        *(_row(example) for example in shown),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def read_report(text: str, where: str) -> dict[str, Any]:
    """Return a report that a text holds.

    Raises:
        DataError: it holds none.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        msg = f"{where}:{error.lineno}: not JSON: {error.msg}"
        raise DataError(msg) from error
    if not isinstance(value, dict):
        msg = f"{where}: not an object"
        raise DataError(msg)
    return value


def prompt_digests() -> list[tuple[str, str]]:
    """Return each text for a model with the start of its SHA-256."""
    folder = files("codeloop.loop").joinpath("texts")
    found = sorted((each.name, each.read_bytes()) for each in folder.iterdir())
    return [(name, sha256(data).hexdigest()[:16]) for name, data in found if name.endswith(".md")]


def _head(name: str, facts: Facts) -> str:
    size = next((text for most, text in _SIZES if facts.samples < most), "n>1M")
    licences = sorted({licence for _, licence in facts.sources})
    lines = ["---", f"pretty_name: {json.dumps(name)}"]
    lines.append(
        "license: " + (_LICENCES.get(licences[0], "other") if len(licences) == 1 else "other")
    )
    lines += ["language:", "- en", "task_categories:", "- text-generation", "tags:", "- code"]
    lines += ["size_categories:", f"- {size}", "configs:", "- config_name: default"]
    lines += ["  data_files:", "  - split: train", "    path: data/train.parquet", "---"]
    return "\n".join(lines)


def _ways(facts: Facts) -> str:
    heads = ("way", "samples", "turns", "multi-turn", "execution feedback", "human feedback")
    rows: list[tuple[object, ...]] = [
        (name, each.samples, each.turns, each.multi_turn, each.execution, each.person)
        for name, each in sorted(facts.ways.items())
    ]
    if len(rows) > 1:
        sums = [sum(int(str(row[at])) for row in rows) for at in range(1, len(heads))]
        rows.append(("**all**", *sums))
    return _table(heads, rows)


def _verification(facts: Facts) -> str:
    total = sum(facts.reasons.values())
    kept = sum(number for reason, number in facts.reasons.items() if reason in _KEPT)
    share = f" ({100 * kept / total:.1f} %)" if total else ""
    rows = [(reason, number) for reason, number in sorted(facts.reasons.items())]
    text = f"{kept} of {total} dialogues hold{share}: all that they quote was obtained again."
    return f"{text}\n\n{_table(('outcome', 'dialogues'), rows)}"


def _funnel(funnel: dict[str, Any]) -> str:
    rows = [
        (
            stage.get("stage", ""),
            stage.get("taken", 0),
            stage.get("made", 0),
            stage.get("past", 0),
            sum(stage.get("left", {}).values()),
            sum(stage.get("failed", {}).values()),
        )
        for stage in funnel.get("stages", [])
    ]
    return _table(("stage", "taken", "made", "went past", "left out", "failed"), rows)


def _mutation(report: dict[str, Any]) -> str:
    rows = []
    for name, counts in sorted(report.get("kinds", {}).items()):
        failures = ", ".join(f"{why} {n}" for why, n in sorted(counts["failures"].items()))
        numbers = [
            counts.get(key, 0) for key in ("tried", "kept", "equivalent", "hidden", "unsaid")
        ]
        rows.append((name, *numbers, failures))
    heads = ("kind", "tried", "kept", "equivalent", "hidden", "unsaid", "how those kept fail")
    return _table(heads, rows)


def _pairs(values: dict[str, Any]) -> str:
    return _table(("", ""), [(name, _told(value)) for name, value in values.items()])


def _told(value: Any) -> Any:
    """Return a value for a cell of a table: of counts by name the first, of a list its items."""
    if isinstance(value, dict):
        told = [f"{name} {number}" for name, number in value.items()]
        more = [f"{len(told) - _SHOWN_COUNTS} more"] if len(told) > _SHOWN_COUNTS else []
        return ", ".join([*told[:_SHOWN_COUNTS], *more])
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _section(title: str, text: str) -> tuple[str, ...]:
    return (f"## {title}", text) if text else ()


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(_cell(each) for each in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *lines])


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _row(example: Example) -> str:
    lines = [f"### {example.dialogue.id}"]
    for message in render(example.dialogue):
        text = message.content
        if len(text) > _SHOWN_CHARS:
            text = f"{text[:_SHOWN_CHARS]}\n[...]"
        fence = "~~~~"
        lines.append(f"**{message.role.value}**\n\n{fence}text\n{text}\n{fence}")
    return "\n\n".join(lines)
