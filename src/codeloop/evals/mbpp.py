"""MBPP and MBPP+ as problems."""

import ast
from collections.abc import Callable
from typing import Any

from codeloop.core.errors import DataError
from codeloop.core.problem import CheckTests, Oracle, Problem
from codeloop.evals.humaneval import function_tests, prompt_asserts
from codeloop.evals.rows import Row, text_of

_TEST_PART = range(11, 511)
_SAME_SET = (
    *("similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly"),
    *("larg_nnum", "intersection_array", "find_dissimilar", "Diff"),
)
_NOT_NONE = ("check_str", "text_match_three", "text_starta_endb")
# What evalplus accepts besides the expected value (its `_special_oracle.py`), by function.
_ORACLES = {
    **dict.fromkeys(_SAME_SET, Oracle.SAME_SET),
    **dict.fromkeys(_NOT_NONE, Oracle.NOT_NONE),
    "are_equivalent": Oracle.ANYTHING,
    "sum_div": Oracle.ZERO,
    "surface_Area": Oracle.SLANT_SURFACE,
    "digit_distance_nums": Oracle.DIGIT_DISTANCE,
}


def mbpp(row: Row, where: str) -> Problem | None:
    """Return a problem of MBPP's test part, or None for one of another part.

    Raises:
        DataError: a field is missing, or no test calls a function.
    """
    return mbpp_full(row, where) if row.get("task_id") in _TEST_PART else None


def mbpp_full(row: Row, where: str) -> Problem:
    """Return a problem of MBPP: a prompt shows its tests, so that they are all visible.

    Raises:
        DataError: a field is missing, or no test calls a function.
    """
    reference, setup = text_of(row, "code", where), text_of(row, "test_setup_code", where)
    asserts = [str(each).strip() for each in row["test_list"]]
    more = "\n".join(row["challenge_test_list"])
    name = _called(asserts, reference, where)
    shown = CheckTests("\n".join(asserts), setup)
    prompt = "\n".join([text_of(row, "text", where), *asserts])
    return Problem(
        f"Mbpp/{row['task_id']}",
        f'"""\n{prompt}\n"""\n',
        (shown,),
        name,
        visible=(shown,),
        hidden=(CheckTests(more, setup),) if more else (),
        reference=reference.replace("\r\n", "\n"),
    )


def mbpp_plus(row: Row, where: str) -> Problem:
    """Return a problem of MBPP+: base inputs, and evalplus's own as hidden ones.

    Raises:
        DataError: a field is missing.
    """
    number, name = text_of(row, "task_id", where), text_of(row, "entry_point", where)
    prompt = text_of(row, "prompt", where)
    reference = prompt + text_of(row, "canonical_solution", where)
    base, hidden = (
        function_tests(
            typed_inputs(number, row[key]),
            reference,
            _ORACLES.get(name, Oracle.EQUAL),
            row["atol"],
        )
        for key in ("base_input", "plus_input")
    )
    asserts = prompt_asserts(prompt)
    return Problem(
        number,
        prompt,
        base,
        name,
        visible=(CheckTests("\n".join(asserts)),) if asserts else (),
        hidden=hidden,
        reference=reference,
    )


def _called(asserts: list[str], reference: str, where: str) -> str:
    """Return the function that tests call: the first name in them that the reference defines."""
    defined = {
        node.name
        for node in ast.walk(ast.parse(reference.strip()))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    for node in ast.walk(ast.parse("\n".join(asserts))):
        if isinstance(node, ast.Name) and node.id in defined:
            return node.id
    msg = f"{where}: no test calls what the reference defines"
    raise DataError(msg)


def _deep(value: Any) -> Any:
    return tuple(map(_deep, value)) if isinstance(value, list) else value


def _each(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda values: [inner(value) for value in values]


def _place(index: int, inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda call: [inner(value) if at == index else value for at, value in enumerate(call)]


def _set(value: Any) -> Any:
    return set(value) if isinstance(value, list) and value else {}


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


# JSON has neither tuples nor sets: what each problem's inputs are, by MBPP's numbers (evalplus's
# `mbpp_deserialize_inputs`).
_TYPES: dict[Callable[[Any], Any], tuple[int, ...]] = {
    _each(tuple): (
        2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630, 726,
        740, 744, 809,
    ),
    _each(_each(tuple)): (63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780),
    _place(0, _each(tuple)): (75, 413, 444, 753),
    _place(1, tuple): (106, 750),
    _place(0, _each(_set)): (115,),
    lambda call: [float(call[0]), complex(call[1])]: (124,),
    _place(0, tuple): (250, 405, 446, 617, 720, 763, 808, 307),
    _each(lambda value: tuple(map(tuple, value))): (259, 401, 445),
    lambda call: [tuple(map(_tuple, call[0]))]: (278,),
    lambda call: [{key: tuple(value) for key, value in call[0].items()}, *call[1:]]: (722,),
    lambda call: [complex(call[0])]: (252,),
    _each(_deep): (580, 615, 791),
}  # fmt: skip
_TYPE_OF = {number: typed for typed, numbers in _TYPES.items() for number in numbers}


def typed_inputs(problem_id: str, inputs: Any) -> Any:
    """Return MBPP+ inputs with the types that JSON lost."""
    typed = _TYPE_OF.get(int(problem_id.rpartition("/")[2]))
    return inputs if typed is None else [typed(call) for call in inputs]
