"""CRUXEval as problems: a program's output is to be told, or an input that has that output."""

import ast

from codeloop.core.problem import AnswerTests, Problem
from codeloop.evals.rows import Row, text_of

# The inputs that the data set does not give as literals, as such.
_WRITTEN_OUT = {
    "sample_152": repr("A" * 20),
    "sample_239": repr("0 t 1cos ") + ", " + repr("st 0\t\n  "),
    "sample_258": "[1, 2, 7, 9], 3, 3, 2",
    "sample_378": "{'did': 0}, 'u'",
    "sample_459": "['b', 'vzjmc', 'f', 'ae', '0'], {}",
    "sample_522": repr(list(range(100, 120))),
    "sample_694": "{'e': 1, 'd': 2, 'c': 3}",
    "sample_720": "['bfreratrrbdbzagbretaredtroefcoiqrrneaosf'], 'n'",
    "sample_760": "{'f': 1, 'h': 2, 'j': 3, 'k': 4}",
    "sample_770": "'$78', '$'",
}


def cruxeval_output(row: Row, where: str) -> Problem:
    """Return a problem that asks what a call returns; a value that is a literal will do for now.

    Raises:
        DataError: a field is missing.
    """
    return Problem(
        text_of(row, "id", where),
        f"{text_of(row, 'code', where)}\n\nassert f({text_of(row, 'input', where)}) == ?",
        (AnswerTests(_literal(text_of(row, "output", where))),),
        visible=(AnswerTests(""),),
        reference=text_of(row, "output", where),
    )


def cruxeval_input(row: Row, where: str) -> Problem:
    """Return a problem that asks for arguments of a call that returns a value: all is visible.

    Raises:
        DataError: a field is missing.
    """
    number, code = text_of(row, "id", where), text_of(row, "code", where)
    tests = (AnswerTests(_literal(text_of(row, "output", where)), code),)
    return Problem(
        number,
        f"{code}\n\nassert f(?) == {text_of(row, 'output', where)}",
        tests,
        visible=tests,
        reference=_WRITTEN_OUT.get(number, text_of(row, "input", where)),
    )


def _literal(text: str) -> str:
    ast.literal_eval(text)
    return text
