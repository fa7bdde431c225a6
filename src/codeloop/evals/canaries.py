"""Looks for bytes of hidden tests in what a model was shown: there should be none."""

import ast
from collections.abc import Iterable, Iterator, Sequence

from codeloop.core.dialogue import Dialogue, Turn
from codeloop.core.problem import (
    AnswerTests,
    CheckTests,
    FunctionTests,
    PackedTests,
    Problem,
    StdioTests,
    Tests,
    Trace,
)
from codeloop.judge.packing import answers, inputs
from codeloop.loop.prompts import feedback_text, text

SHORTEST = 8  # characters; shorter literals occur by chance
_OUR_WORDS = ("evaluation", "execution", "judge")  # the texts that what is shown is made of


def leaks(dialogue: Dialogue, problem: Problem, hidden: Sequence[Tests]) -> list[str]:
    """Return the literals of hidden tests that a model was shown and could not have from elsewhere.

    Elsewhere is the prompt, the visible tests, our own words, and what the model had said and its
    code had returned, raised, or come upon in a visible test by then. What it says after it was
    shown a literal excuses nothing.
    """
    ours = [text(name) for name in _OUR_WORDS]
    known = "\n".join([*ours, problem.prompt, problem.preamble, *_sources(problem.visible)])
    shown = [("\n".join(message.content for message in dialogue.opening), known)]
    for turn in dialogue.turns:
        known = "\n".join([known, turn.reply, *_told_by_code(turn)])
        shown.append((feedback_text(turn), known))
    found = (
        literal
        for literal in dict.fromkeys(_literals(hidden))
        if any(literal in said and literal not in before for said, before in shown)
    )
    return list(found)


def _told_by_code(turn: Turn) -> Iterator[str]:
    """Yield what the model's own code returned, raised or came upon in a turn."""
    if turn.verdict is not None:
        yield turn.verdict.actual
        yield from _seen(turn.verdict.trace)
        if turn.verdict.error is not None:
            yield turn.verdict.error.message


def _seen(trace: Trace | None) -> Iterator[str]:
    """Yield what the model's code came upon by itself, in a visible test."""
    for block in trace.blocks if trace else ():
        yield from (block.returned, block.raised, *(text for _, text in block.values))


def _literals(tests: Iterable[Tests]) -> Iterator[str]:
    for each in tests:
        for value in _values(each):
            literal = value if isinstance(value, str) and len(value) >= SHORTEST else _said(value)
            if len(literal) >= SHORTEST:
                yield literal


def _said(value: object) -> str:
    """Return a value as Python writes it; "" for what it refuses to write."""
    try:
        return repr(value)
    except ValueError:  # an integer of more digits than `sys.get_int_max_str_digits()`
        return ""


def _values(tests: Tests) -> Iterator[object]:
    match tests:
        case PackedTests():
            for call in inputs(tests):
                yield from call
            yield from answers(tests)
        case FunctionTests(calls, expected):
            for call in calls:
                yield from call
            yield from expected or ()
        case CheckTests(source):
            yield from _written(source)
        case StdioTests(cases):
            for case in cases:
                yield from (case.stdin, case.stdout)
        case AnswerTests(expected):
            yield from _written(expected)
        case _:
            return


def _written(source: str) -> Iterator[object]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant | ast.List | ast.Tuple | ast.Dict | ast.Set):
            yield from _literal(node)


def _literal(node: ast.expr) -> Iterator[object]:
    try:
        yield ast.literal_eval(node)
    except ValueError:  # it holds names
        return


def _sources(tests: Iterable[Tests]) -> Iterator[str]:
    """Yield what tests say, and each value of theirs as Python would write it."""
    for each in tests:
        if isinstance(each, CheckTests):
            yield f"{each.setup}\n{each.source}"
        yield from map(_said, _values(each))
