"""Planted leaks: how many are found at which level, beside a substring filter; false alarms.

    CODELOOP_DATA=DATA scripts/bench decontamination --each 24 --json out.json

Leaks are made of problems of HumanEval, MBPP+ and MBPP's test part by fixed rules and a fixed seed:

- verbatim: the prompt, and the reference;
- renamed: both with other names for the function, its arguments and variables;
- paraphrased: the words of the prompt changed by rule, no examples; the reference renamed;
- solution only: the reference under other names, without docstring and comments;
- another solution: one that GPT-4 wrote, in the same way (HumanEval).

The filter beside it does what the filters of The Stack and Magicoder do: a docstring or a solution
as it stands, in a row in lower case. Clean rows are those of public sets of queries; each that is
found is printed, for a person to say whether it is a leak.
"""

import argparse
import ast
import gzip
import json
import os
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codeloop.core.problem import Problem
from codeloop.dataset.decontamination.leaks import Decontamination, Leak
from codeloop.dataset.decontamination.wording import without_docstring
from codeloop.dataset.records import Malformed, Query
from codeloop.dataset.sources.ingest import queries, query_set, read_source
from codeloop.evals.benchmarks import benchmark
from codeloop.judge.many import RigPool
from codeloop.judge.programs import rig_programs
from codeloop.sandbox import open_pool

Json = dict[str, Any]

BENCHMARKS = ("humaneval", "mbpp+", "mbpp")  # MBPP+ first: it has more tests
CLEAN = ("cosqa", "odex", "leetcode-train", "exercism-python", "octopack-manual", "nl2bash")
TRIVIAL = {"return x + y", "return len(string)", "return n**2", 'return " ".join(strings)'}
NEW_NAMES = ("item", "data", "seen", "acc", "left", "part", "cur", "obj", "hold", "flag", "rest")
WORDS = {
    "write a python function to": "I need some Python that should",
    "write a function to": "I need some Python that should",
    "return": "give back",
    "returns": "gives back",
    "find": "work out",
    "check whether": "tell if",
    "check if": "tell if",
    "given": "supplied",
    "list": "sequence",
    "lists": "sequences",
    "string": "text",
    "strings": "texts",
    "number": "value",
    "numbers": "values",
    "integer": "whole number",
    "integers": "whole numbers",
    "the function": "your code",
    "function": "routine",
    "array": "sequence",
    "elements": "entries",
    "element": "entry",
    "smallest": "least",
    "largest": "greatest",
    "using": "by means of",
    "you": "one",
    "example": "instance",
}
CHANGED = re.compile(
    rf"\b(?:{'|'.join(sorted(map(re.escape, WORDS), key=len, reverse=True))})\b", re.IGNORECASE
)


class Renamed(ast.NodeTransformer):
    """Gives names that a program binds other ones."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self.names.get(node.id, node.id), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(self.names.get(node.arg, node.arg), node.annotation)

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        self.generic_visit(node)
        if node.arg in self.names:
            node.arg = self.names[node.arg]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self.names.get(node.name, node.name)
        self.generic_visit(node)
        return node


def renaming(tree: ast.Module, dice: random.Random) -> dict[str, str]:
    """Return other names for functions, arguments and variables of a program."""
    bound: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            bound[node.name] = None
        elif isinstance(node, ast.arg):
            bound[node.arg] = None
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound[node.id] = None
    return {name: f"{dice.choice(NEW_NAMES)}_{number}" for number, name in enumerate(bound)}


def by_other_names(source: str, dice: random.Random) -> tuple[str, dict[str, str]]:
    """Return a program with other names and without docstrings and comments; and the names."""
    tree = ast.parse(source.strip())
    if ast.get_docstring(tree) is not None:  # MBPP+ has its words before the function
        tree.body = tree.body[1:]
    names = renaming(tree, dice)
    changed = Renamed(names).visit(tree)
    for node in ast.walk(changed):
        if isinstance(node, ast.FunctionDef):
            node.body = without_docstring(node)
    return ast.unparse(ast.fix_missing_locations(changed)), names


def words_of(problem: Problem) -> str:
    """Return a prompt's words as a filter for docstrings takes them."""
    quotes = '"""' if '"""' in problem.prompt else "'''"
    parts = problem.prompt.split(quotes)
    return (parts[3] if len(parts) > 4 else parts[1]).strip()  # noqa: PLR2004  two docstrings


def substrings(problem: Problem) -> list[str]:
    """Return what a substring filter looks for."""
    words = words_of(problem)
    solution = problem.reference.removeprefix(problem.prompt).strip()
    if problem.id.startswith("Mbpp"):
        words = words.partition("\nassert")[0]
    return [text.lower() for text in (words, solution) if text and text not in TRIVIAL]


def paraphrase(text: str) -> str:
    """Return the words of a prompt without examples, changed by rule."""
    bare = re.split(r">>>|\n\s*assert|\n\s*[Ee]xamples?\b|[Ff]or example", text)[0]
    changed = CHANGED.sub(lambda found: WORDS[found[0].lower()], " ".join(bare.split()))
    first, dot, rest = changed.partition(". ")
    return f"{rest.strip()} {first}{dot.strip()}" if rest.strip() else f"Task: {changed}"


def renamed_text(text: str, names: dict[str, str]) -> str:
    """Return a text with other names."""
    return re.sub(r"\b[A-Za-z_]\w*\b", lambda found: names.get(found[0], found[0]), text)


def planted(problem: Problem, dice: random.Random) -> Iterator[tuple[str, Query]]:
    """Yield the leaks of a problem, each with its kind."""
    code, names = by_other_names(problem.reference, dice)
    fenced = f"```python\n{code}\n```"
    yield "verbatim", Query(problem.prompt, f"```python\n{problem.reference}\n```")
    only_named = {name: new for name, new in names.items() if f"{name}(" in problem.reference}
    yield "renamed", Query(renamed_text(problem.prompt, only_named), fenced)
    yield "paraphrased", Query(paraphrase(words_of(problem)), fenced)
    yield "solution only", Query("Please explain what this code does.", fenced)


def others(data: Path, dice: random.Random, most: int) -> Iterator[tuple[str, str, Query]]:
    """Yield rows with what GPT-4 wrote for HumanEval, by other names."""
    with gzip.open(data / "real_samples" / "gpt4_final_500c_long.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    for row in dice.sample(rows, min(most, len(rows))):
        try:
            code, _ = by_other_names(row["completion"], dice)
        except SyntaxError:
            continue
        query = Query("Please explain what this code does.", f"```python\n{code}\n```")
        yield row["task_id"], "another solution", query


def clean_rows(data: Path, each: int, dice: random.Random) -> Iterator[Query]:
    """Yield rows of public sets, with Python first where there is any."""
    for name in CLEAN:
        rows = [
            row
            for row in queries(read_source(query_set(name).source(data)))
            if not isinstance(row, Malformed)
        ]
        yield from dice.sample(rows, min(each, len(rows)))


def measured(
    wanted: Decontamination, rows: list[tuple[str, str, Query]], filtered: list[str], threads: int
) -> list[Json]:
    """Return for each planted row what the filter and each level found."""
    found = wanted.look((row for _, _, row in rows), threads=threads)
    made = []
    for (problem, kind, _), (row, leaks) in zip(rows, found, strict=True):
        text = f"{row.query}\n\n{row.answer}".lower()
        made.append(
            {
                "problem": problem,
                "kind": kind,
                "filter": any(each in text for each in filtered),
                "levels": [str(leak.level) for leak in leaks],
                "right": any(leak.problem.lower() == problem.lower() for leak in leaks),
            }
        )
    return made


def table(rows: list[Json]) -> Json:
    """Print recall by kind, and return it."""
    by_kind: dict[str, list[Json]] = defaultdict(list)
    for row in rows:
        by_kind[row["kind"]].append(row)
    by_kind["all"] = rows
    facts: Json = {}
    for kind, some in by_kind.items():
        levels = Counter(row["levels"][0] for row in some if row["levels"])
        caught, theirs = sum(bool(row["levels"]) for row in some), sum(r["filter"] for r in some)
        facts[kind] = {"rows": len(some), "filter": theirs, "codeloop": caught, **levels}
        print(f"{kind:18}{len(some):5} rows, filter {theirs:4}, codeloop {caught:4} {dict(levels)}")
    return facts


def shown(row: Query, leaks: tuple[Leak, ...]) -> Json:
    """Print and return a clean row in which something was found."""
    leak = leaks[0]
    print(f"{row.source:16} {leak.level:10} {leak.problem:14} {leak.note} | {row.query[:100]!r}")
    return {
        "source": row.source,
        "level": str(leak.level),
        "problem": leak.problem,
        "note": leak.note,
        "query": row.query,
        "answer": row.answer,
    }


def main() -> None:
    """Plant, look, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("CODELOOP_DATA"))
    parser.add_argument("--each", type=int, default=60, help="problems of a benchmark")
    parser.add_argument("--clean", type=int, default=300, help="rows of a public set")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all to a file")
    args = parser.parse_args()
    dice = random.Random(5)
    sets = {name: list(benchmark(name).problems(args.data)) for name in BENCHMARKS}
    problems = [each for held in sets.values() for each in held]
    rows = [
        (each.id, kind, row)
        for held in sets.values()
        for each in dice.sample(held, min(args.each, len(held)))
        for kind, row in planted(each, dice)
    ]
    rows += others(args.data, dice, args.each)
    filtered = [text for each in problems for text in substrings(each)]
    with (
        open_pool(slots=args.workers) as pool,
        RigPool(lambda: pool.open_rig(rig_programs()), args.workers) as rigs,
    ):
        wanted = Decontamination(problems, pool=rigs)
        start = time.monotonic()
        facts = {"recall": table(measured(wanted, rows, filtered, args.workers))}
        print(f"{len(rows)} planted rows: {time.monotonic() - start:.0f} s")
        start, count = time.monotonic(), 0
        alarms = []
        for row, leaks in wanted.look(
            clean_rows(args.data, args.clean, dice), threads=args.workers
        ):
            count += 1
            if leaks:
                alarms.append(shown(row, leaks))
        facts["clean"] = {"rows": count, "found": len(alarms), "alarms": alarms}
        print(f"{count} rows of public sets: {len(alarms)} found, {time.monotonic() - start:.0f} s")
    if args.json:
        args.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
