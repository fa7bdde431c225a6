"""HumanEval, HumanEval+ and LeetCodeDataset as problems; the examples in prompts as asserts."""

import ast
import doctest
import re
from collections.abc import Iterator

from codeloop.core.problem import CheckTests, FunctionTests, Oracle, Problem, Tests
from codeloop.evals.rows import Row, text_of

_ORACLES = {"find_zero": Oracle.ROOT}


def humaneval(row: Row, where: str) -> Problem:
    """Return a problem of HumanEval: the tests are the benchmark's own `check`.

    Raises:
        DataError: a field is missing.
    """
    tests = CheckTests(text_of(row, "test", where), text_of(row, "prompt", where))
    return _problem(row, where, (tests,), ())


def humaneval_plus(row: Row, where: str) -> Problem:
    """Return a problem of HumanEval+: base inputs, and evalplus's own as hidden ones.

    Raises:
        DataError: a field is missing.
    """
    name = text_of(row, "entry_point", where)
    reference = text_of(row, "prompt", where) + text_of(row, "canonical_solution", where)
    base, hidden = (
        function_tests(row[key], reference, _ORACLES.get(name, Oracle.EQUAL), row["atol"])
        for key in ("base_input", "plus_input")
    )
    return _problem(row, where, base, hidden)


def function_tests(
    inputs: list[list[object]], reference: str, oracle: Oracle, atol: float
) -> tuple[FunctionTests, ...]:
    """Return one set of tests, or none if there are no inputs."""
    if not inputs:
        return ()
    calls = tuple(map(tuple, inputs))
    return (FunctionTests(calls, reference=reference, oracle=oracle, atol=float(atol)),)


def _problem(row: Row, where: str, tests: tuple[Tests, ...], hidden: tuple[Tests, ...]) -> Problem:
    prompt, name = text_of(row, "prompt", where), text_of(row, "entry_point", where)
    asserts = docstring_asserts(prompt, name)
    return Problem(
        text_of(row, "task_id", where),
        prompt,
        tests,
        name,
        visible=(CheckTests("\n".join(asserts)),) if asserts else (),
        hidden=hidden,
        preamble=prompt[: prompt.index(f"def {name}(")],
        reference=prompt + text_of(row, "canonical_solution", where),
    )


def leetcode(row: Row, where: str) -> Problem:
    """Return a problem of LeetCodeDataset.

    Tests that pass trees and linked lists need the solution in their own process: forgeable.

    Raises:
        DataError: a field is missing.
    """
    given = text_of(row, "prompt", where)
    starter = text_of(row, "starter_code", where)
    return Problem(
        text_of(row, "task_id", where),
        f"{text_of(row, 'problem_description', where)}\n\nBegin with:\n\n{starter}",
        (CheckTests(text_of(row, "test", where), given),),
        text_of(row, "entry_point", where),
        preamble=given,
        reference=f"{given}\n{text_of(row, 'completion', where)}",
    )


_SIGN = re.compile(
    r"\s*(?:#\s*)?(?:==>|=>|==|->|➞|→|=|(?:should )?returns?)\s*",
    re.IGNORECASE,
)
_LINE_CHARS = 400
_TRUTH = {"true": "True", "false": "False"}


def docstring_asserts(prompt: str, entry_point: str) -> tuple[str, ...]:
    """Return the examples of a function's docstring as asserts: `>>> f(1)`, and `f(1) ==> 2`."""
    text = _docstring(prompt, entry_point)
    shown = [*_doctests(text, entry_point), *_written(text, entry_point)]
    return tuple(dict.fromkeys(shown))


def prompt_asserts(prompt: str) -> tuple[str, ...]:
    """Return the asserts that stand in a prompt, each on its own lines."""
    found = re.finditer(r"^assert\b.*$", prompt, re.MULTILINE)
    return tuple(text for match in found if _parses(text := match[0].strip()))


def _docstring(prompt: str, name: str) -> str:
    try:
        body = ast.parse(f"{prompt}\n    pass\n").body
    except SyntaxError:
        return prompt
    found = (node for node in body if isinstance(node, ast.FunctionDef) and node.name == name)
    return next((ast.get_docstring(node) or "" for node in found), prompt)


def _doctests(text: str, entry_point: str) -> Iterator[str]:
    try:
        examples = doctest.DocTestParser().get_examples(text)
    except ValueError:  # inconsistent white space, which the other pattern may still read
        return
    for example in examples:
        call = _call(example.source, entry_point)
        wanted = " ".join(example.want.split("\n")).strip()
        if call and _is_literal(wanted):
            yield f"assert {call} == {wanted}"


def _written(text: str, entry_point: str) -> Iterator[str]:
    """Yield what is written as a call, a sign, and a value: on one line."""
    for match in re.finditer(rf"\b{re.escape(entry_point)}\(", text):
        line = text[match.start() :].partition("\n")[0][:_LINE_CHARS]
        ends = (at + 1 for at, character in enumerate(line) if character == ")")
        found = next(
            ((call, end) for end in ends if (call := _call(line[:end], entry_point))), None
        )
        sign = _SIGN.match(line, found[1]) if found else None
        value = _literal_at(line[sign.end() :].strip()) if sign else None
        if found and value is not None:
            yield f"assert {found[0]} == {value}"


def _literal_at(text: str) -> str | None:
    """Return the literal that a text begins with, if nothing follows but the end of a sentence."""
    word = text.rstrip(" .,;").lower()
    if word in _TRUTH:
        return _TRUTH[word]
    ends = range(len(text), 0, -1)
    fits = (end for end in ends if not text[end:].strip(" .,;") and _is_literal(text[:end]))
    return next((text[:end] for end in fits), None)


def _call(text: str, name: str) -> str | None:
    """Return an expression that calls the function with literals, as Python writes it."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    plain = names <= {name, "round", "abs", "sorted", "len"}
    return ast.unparse(node) if isinstance(node, ast.Call) and name in names and plain else None


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (SyntaxError, ValueError, TypeError, MemoryError):
        return False
    return True


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True
