"""What is found in a dataset: how often each fault is there, and whether it forbids to train."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from codeloop.train.facts import Fault, RowFacts

SHOWN = 5  # places that are named of each fault


@dataclass(frozen=True, slots=True)
class Rule:
    """A fault: the share of rows above which it forbids to train (None: never), what helps."""

    says: str
    limit: float | None
    cure: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault in so many rows, with the first places of it: `file:line` and what is there."""

    fault: Fault
    says: str
    rows: int
    share: float
    refuses: bool
    cure: str
    places: tuple[tuple[str, str], ...]


RULES: dict[Fault, Rule] = {
    Fault.MALFORMED: Rule(
        "lines that are no row", 0.0, "mend or drop them (`codeloop dataset check` names all)"
    ),
    Fault.REFUSED: Rule(
        "rows that the chat template does not take",
        0.0,
        "name another template with `template: FILE`, or drop them: serving would refuse them too",
    ),
    Fault.MASK: Rule(
        "rows whose mask differs from the reference",
        0.0,
        "name a template whose {% generation %} marks what the model writes",
    ),
    Fault.STOP: Rule(
        "rows with a reply whose stop token is not learned: generation would never end",
        0.0,
        "put the stop token inside {% generation %} of the template",
    ),
    Fault.SPECIAL: Rule(
        "rows with a token of the template in a reply", 0.0, "drop or rewrite them"
    ),
    Fault.CLAIM: Rule(
        "rows whose last run failed and whose end says that all is well",
        0.01,
        "drop them: `codeloop dataset verify` keeps what was obtained again",
    ),
    Fault.FAILING: Rule(
        "rows that end in code that failed", None, "drop them, or train with `mask: mask_failed`"
    ),
    Fault.EMPTY: Rule(
        "rows of which nothing is learned; they are left out",
        0.01,
        "raise `trl: {max_length}`, or drop them",
    ),
    Fault.CUT: Rule(
        "rows that are longer than max_length: their end is cut",
        0.5,
        "raise `trl: {max_length}`, or drop them",
    ),
    Fault.DUPLICATE: Rule(
        "rows with the messages of a row before", None, "`codeloop dataset dedup`"
    ),
    Fault.OVERLAP: Rule(
        "rows that hold a problem of a benchmark",
        0.0,
        "`codeloop dataset decontaminate` drops them, and looks deeper",
    ),
    Fault.ENGINE: Rule(
        "texts that the serving engine makes other tokens of",
        0.0,
        "train from the file that is served, or from the tokenizer it was made of",
    ),
}


def findings(
    files: Iterable[tuple[str, Iterable[RowFacts]]],
    more: Iterable[tuple[Fault, str, str]] = (),
    *,
    checked: int | None = None,
) -> list[Finding]:
    """Return what is found in files of rows; `more` are faults seen elsewhere, with their place.

    `checked` is how many texts the engine was asked for.
    """
    places: dict[Fault, list[tuple[str, str]]] = defaultdict(list)
    seen: dict[str, str] = {}
    rows = 0
    for name, facts in files:
        for each in facts:
            rows += 1
            where = f"{name}:{each.line}"
            for fault, what in each.faults:
                places[fault].append((where, what))
            if each.key and each.key in seen:
                places[Fault.DUPLICATE].append((where, f"as {seen[each.key]}"))
            seen.setdefault(each.key, where)
    for fault, where, what in more:
        places[fault].append((where, what))
    totals = defaultdict(lambda: rows, {Fault.ENGINE: checked or rows})
    return [_finding(fault, places[fault], totals[fault]) for fault in Fault if places[fault]]


def _finding(fault: Fault, places: list[tuple[str, str]], total: int) -> Finding:
    rule = RULES[fault]
    count = len({where for where, _ in places})
    share = count / max(1, total)
    refuses = rule.limit is not None and share > rule.limit
    return Finding(fault, rule.says, count, share, refuses, rule.cure, tuple(places[:SHOWN]))
