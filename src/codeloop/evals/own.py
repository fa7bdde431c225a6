"""One's own problems: a JSON Lines file, an object for each, as docs/evaluation.md says."""

import ast
from typing import Any

from codeloop.core.errors import DataError
from codeloop.core.problem import (
    CheckTests,
    FunctionTests,
    Problem,
    StdioCase,
    StdioTests,
    Tests,
)
from codeloop.evals.rows import Row, text_of

_TEXTS = ("prompt", "entry_point", "reference", "preamble", "setup")
_GROUPS = ("inputs", "asserts", "cases")
_KNOWN = {"task_id", "atol", *_TEXTS, "visible_asserts"}
_KNOWN |= {f"{prefix}{group}" for prefix in ("", "hidden_") for group in _GROUPS}


def own_problem(row: Row, where: str) -> Problem:
    """Return the problem that a row describes.

    Raises:
        DataError: it describes none; names file:line and the field.
    """
    unknown = row.keys() - _KNOWN
    if unknown:
        raise _fault(where, f"no field is called {min(unknown)!r}")
    name = text_of(row, "task_id", where)
    if not name or not name.isprintable():
        raise _fault(where, "'task_id' should be a line of text")
    texts = {key: text_of(row, key, where) if key in row else "" for key in _TEXTS}
    tests = _tests(row, "", texts, where)
    if not tests:
        raise _fault(where, f"no tests: give one of {', '.join(_GROUPS)}")
    if not texts["entry_point"] and not isinstance(tests[0], StdioTests):
        raise _fault(where, "'entry_point' is missing: what the tests call")
    shown = _asserts(row, "visible_asserts", texts["setup"], where)
    return Problem(
        name,
        texts["prompt"],
        tests,
        texts["entry_point"],
        visible=shown,
        hidden=_tests(row, "hidden_", texts, where),
        preamble=texts["preamble"],
        reference=texts["reference"],
    )


def _tests(row: Row, prefix: str, texts: dict[str, str], where: str) -> tuple[Tests, ...]:
    return (
        *_inputs(row, f"{prefix}inputs", texts["reference"], where),
        *_asserts(row, f"{prefix}asserts", texts["setup"], where),
        *_cases(row, f"{prefix}cases", where),
    )


def _inputs(row: Row, key: str, reference: str, where: str) -> tuple[FunctionTests, ...]:
    inputs = _list(row, key, where)
    if not inputs:
        return ()
    if not reference:
        raise _fault(where, f"{key!r} needs 'reference': the solution that tells what is expected")
    if not all(isinstance(each, list) for each in inputs):
        raise _fault(where, f"{key!r} should be lists of arguments")
    atol = row.get("atol", 0)
    if type(atol) not in {int, float}:
        raise _fault(where, "'atol' should be a number")
    calls = tuple(map(tuple, inputs))
    return (FunctionTests(calls, reference=reference, atol=float(atol)),)


def _asserts(row: Row, key: str, setup: str, where: str) -> tuple[CheckTests, ...]:
    lines = _list(row, key, where)
    for line in lines:
        try:
            ast.parse(line)
        except (SyntaxError, TypeError, ValueError) as error:
            raise _fault(where, f"{key!r}: not Python: {line!r}") from error
    return (CheckTests("\n".join(lines), setup),) if lines else ()


def _cases(row: Row, key: str, where: str) -> tuple[StdioTests, ...]:
    cases = []
    for each in _list(row, key, where):
        match each:
            case {"stdin": str(given), "stdout": str(printed)} if len(each) == 2:  # noqa: PLR2004
                cases.append(StdioCase(given, printed))
            case _:
                raise _fault(where, f"{key!r} should be objects with 'stdin' and 'stdout'")
    return (StdioTests(tuple(cases)),) if cases else ()


def _list(row: Row, key: str, where: str) -> list[Any]:
    value = row.get(key, [])
    if not isinstance(value, list):
        raise _fault(where, f"{key!r} should be a list")
    return value


def _fault(where: str, text: str) -> DataError:
    return DataError(f"{where}: {text}")
