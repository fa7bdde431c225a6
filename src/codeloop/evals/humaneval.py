"""HumanEval and HumanEval+ as problems."""

from codeloop.core.problem import CheckTests, FunctionTests, Oracle, Problem, Tests
from codeloop.evals.examples import docstring_asserts
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
