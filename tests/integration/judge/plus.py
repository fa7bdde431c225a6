"""HumanEval+ and MBPP+ as problems, from the folder that CODELOOP_DATA names."""

import gzip
import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from codeloop.core.problem import FunctionTests, Oracle, Problem

Json = dict[str, Any]

SAME_SET = {
    "similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly",
    "larg_nnum", "intersection_array", "find_dissimilar", "Diff",
}  # fmt: skip
NOT_NONE = {"check_str", "text_match_three", "text_starta_endb"}
ORACLES = {
    **dict.fromkeys(SAME_SET, Oracle.SAME_SET),
    **dict.fromkeys(NOT_NONE, Oracle.NOT_NONE),
    "find_zero": Oracle.ROOT,
    "are_equivalent": Oracle.ANYTHING,
    "sum_div": Oracle.ZERO,
    "surface_Area": Oracle.SLANT_SURFACE,
    "digit_distance_nums": Oracle.DIGIT_DISTANCE,
}


def folder() -> Path | None:
    """Return where the data lie, if they do."""
    name = os.environ.get("CODELOOP_DATA")
    return Path(name) if name else None


def rows(path: Path) -> Iterator[Json]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def humaneval_plus(data: Path) -> dict[str, tuple[Problem, str]]:
    """Return each problem with its canonical solution."""
    path = data / "humanevalplus" / "HumanEvalPlus.jsonl.gz"
    return {row["task_id"]: problem(row, list) for row in rows(path)}


def mbpp_plus(data: Path) -> dict[str, tuple[Problem, str]]:
    """Return each problem with its canonical solution."""
    path = data / "mbppplus" / "MbppPlus.jsonl.gz"
    return {
        row["task_id"]: problem(row, partial(mbpp_inputs, row["task_id"])) for row in rows(path)
    }


def problem(row: Json, typed: Callable[[Any], Any]) -> tuple[Problem, str]:
    solution = row["prompt"] + row["canonical_solution"]
    name = row["entry_point"]
    tests = tuple(
        FunctionTests(
            tuple(tuple(each) for each in typed(row[key])),
            reference=solution,
            oracle=ORACLES.get(name, Oracle.EQUAL),
            atol=float(row["atol"]),
        )
        for key in ("base_input", "plus_input")
        if row[key]
    )
    return Problem(row["task_id"], row["prompt"], tests, name), solution


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


# JSON has neither tuples nor sets: what each problem's inputs are, by MBPP's numbers
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


def mbpp_inputs(task_id: str, inputs: Any) -> Any:
    """Return MBPP+ inputs with the types that JSON lost."""
    typed = _TYPE_OF.get(int(task_id.rpartition("/")[2]))
    return inputs if typed is None else [typed(call) for call in inputs]
