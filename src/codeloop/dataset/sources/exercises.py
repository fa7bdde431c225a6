"""Collections of exercises: TACO, and those of LeetCode's problems; with tests if they have any."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from codeloop.core.codeblocks import normalise_language
from codeloop.core.problem import (
    CheckTests,
    FunctionTests,
    Problem,
    StdioCase,
    StdioTests,
    Tests,
)
from codeloop.dataset.records import Exercise, Query, Solution
from codeloop.dataset.sources.fields import UnfitError, items, mapping, needed, text, words
from codeloop.dataset.sources.files import Row
from codeloop.dataset.sources.forms import Form, Origin

_ASKED = re.compile(r"\n\s*Please complete the following python code precisely:")
_METHOD = re.compile(r"my_solution\.(\w+)\(")
_CONTEST = re.compile(r"(?:weekly|biweekly)-contest-\d+-")


def read_exercise(form: Form, row: Row, origin: Origin) -> Exercise:
    """Return the exercise that a row of one of the forms of exercises holds.

    Raises:
        UnfitError: it holds none; the text says why.
    """
    match form:
        case Form.TACO:
            found = _taco(row)
        case Form.LEETCODE_DATASET:
            found = _leetcode_dataset(row)
        case Form.LEETCODE_SOLUTIONS:
            found = _leetcode_solutions(row)
        case Form.LEETCODE_CONTEST:
            found = _leetcode_contest(row)
        case _:
            msg = f"{form} holds no exercises"
            raise UnfitError(msg)
    return replace(found, source=origin.name, licence=text(row, "licence") or origin.licence)


def as_query(exercise: Exercise) -> Query:
    """Return an exercise as a query; its answer is its first solution, Python's if it has one."""
    by_python = sorted(exercise.solutions, key=lambda each: each.language != "python")
    first = by_python[0] if by_python else Solution("", "")
    return Query(
        exercise.statement.strip(),
        f"```{first.language}\n{first.code.strip()}\n```" if first.code.strip() else "",
        source=exercise.source,
        licence=exercise.licence,
        language=first.language,
        meta=(("exercise", exercise.id), ("difficulty", exercise.difficulty)),
    )


def with_tests(
    exercises: Iterable[Exercise], problems: Mapping[str, Problem]
) -> Iterator[Exercise]:
    """Yield exercises with the problem of the same id, where they have none of their own."""
    for each in exercises:
        known = None if each.problem else problems.get(each.id)
        yield replace(each, problem=known) if known else each


def _taco(row: Row) -> Exercise:
    statement = needed(row, "question")
    codes = items(row, "solutions")
    if not all(isinstance(each, str) for each in codes):
        msg = "'solutions' should be a list of texts"
        raise UnfitError(msg)
    time, space = text(row, "Expected Time Complexity"), text(row, "Expected Auxiliary Space")
    solutions = tuple(Solution("python", code, time, space) for code in codes)
    url, name = text(row, "url"), text(row, "name")
    known = url or name or str(row.get("id", "")) or Query(statement).id
    tests, entry = _taco_tests(mapping(row, "input_output"))
    problem = None
    if tests:
        reference = solutions[0].code if solutions else ""
        problem = Problem(f"taco/{known}", statement, tests, entry, reference=reference)
    return Exercise(
        f"taco/{known}",
        name or statement.strip().partition("\n")[0][:80],
        statement,
        text(row, "difficulty").lower(),
        (*words(row, "tags"), *words(row, "skill_types")),
        solutions=solutions,
        problem=problem,
    )


def _taco_tests(held: Mapping[str, Any]) -> tuple[tuple[Tests, ...], str]:
    """Return the tests of TACO's `input_output`, and the function that they call, if any."""
    given, wanted, name = held.get("inputs"), held.get("outputs"), held.get("fn_name")
    if not isinstance(given, list) or not isinstance(wanted, list) or len(given) != len(wanted):
        return (), ""
    if isinstance(name, str):
        if not all(isinstance(each, list) for each in given):
            return (), ""
        answers = tuple(each[0] if isinstance(each, list) and each else each for each in wanted)
        return (FunctionTests(tuple(map(tuple, given)), answers),), name
    cases = tuple(
        StdioCase(_lines(stdin), _lines(stdout))
        for stdin, stdout in zip(given, wanted, strict=True)
    )
    return ((StdioTests(cases),) if cases else ()), ""


def _lines(value: Any) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _leetcode_dataset(row: Row) -> Exercise:
    slug, given = needed(row, "task_id"), text(row, "prompt")
    meta = mapping(row, "meta")
    asked = text(row, "problem_description") or _ASKED.split(needed(row, "query"))[0]
    starter = text(row, "starter_code") or str(meta.get("lang_code") or "")
    code, entry = needed(row, "completion"), needed(row, "entry_point")
    problem = Problem(
        f"leetcode/{slug}",
        f"{asked.strip()}\n\nBegin with:\n\n{starter.strip()}",
        (CheckTests(needed(row, "test"), given),),
        entry,
        preamble=given,
        reference=f"{given}\n{code}",
    )
    return Exercise(
        f"leetcode/{slug}",
        slug.replace("-", " "),
        asked.strip(),
        (text(row, "difficulty") or str(meta.get("difficulty") or "")).lower(),
        words(row, "tags"),
        solutions=(Solution("python", code),),
        problem=problem,
    )


def _leetcode_solutions(row: Row) -> Exercise:
    slug, held = needed(row, "slug"), mapping(row, "solutions")
    if not all(isinstance(code, str) for code in held.values()):
        msg = "'solutions' should be texts by language"
        raise UnfitError(msg)
    return Exercise(
        f"leetcode/{slug}",
        text(row, "title") or slug.replace("-", " "),
        needed(row, "statement").strip(),
        text(row, "difficulty").lower(),
        words(row, "tags"),
        words(row, "related"),
        tuple(Solution(normalise_language(name), code) for name, code in held.items()),
    )


def _leetcode_contest(row: Row) -> Exercise:
    name, statement = needed(row, "task_id"), needed(row, "prompt_sft")
    slug = _CONTEST.sub("", name)
    asked = needed(row, "prompt")
    test, entry = _contest_tests(needed(row, "test"))
    return Exercise(
        f"leetcode/{slug}",
        slug.replace("-", " "),
        statement.strip(),
        text(row, "difficulty").lower(),
        problem=Problem(f"leetcode/{slug}", asked, (CheckTests(test),), entry),
    )


def _contest_tests(test: str) -> tuple[str, str]:
    """Return a contest's tests as a `check` of the method that they call, and that method."""
    methods = set(_METHOD.findall(test))
    if len(methods) != 1:
        msg = "'test' should call one method of my_solution"
        raise UnfitError(msg)
    name = methods.pop()
    kept = [line for line in test.splitlines() if not line.startswith("my_solution =")]
    body = "\n".join(f"    {line}" for line in kept).replace(f"my_solution.{name}(", "candidate(")
    source = f"def check(candidate):\n{body}\n"
    try:
        ast.parse(source)
    except (SyntaxError, ValueError) as error:
        msg = f"'test' is not Python ({error})"
        raise UnfitError(msg) from error
    return source, f"Solution().{name}"
