"""Tells an answer that is said, a literal, from one that is computed; and what it is tried as."""

import ast
from dataclasses import dataclass

from codeloop.core.execution import GuestError
from codeloop.core.problem import AnswerTests, CheckTests, Problem, Reason, Verdict

MOST_CHARS = 1 << 16  # of an answer
FUNCTION = "f"

_LAMBDA_PARTS = (
    *(ast.Lambda, ast.arguments, ast.arg, ast.Load, ast.Constant),
    *(ast.Call, ast.Subscript, ast.Slice, ast.Compare, ast.cmpop, ast.BoolOp, ast.boolop),
    *(ast.BinOp, ast.operator, ast.UnaryOp, ast.unaryop, ast.IfExp),
    *(ast.List, ast.Tuple, ast.Dict, ast.Set),
)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer as code that has nothing to compute, and the tests of its function `answer`."""

    problem: Problem
    code: str
    tests: CheckTests
    shown: str  # what is claimed, as a person would write it


def said(problem: Problem, solution: str, tests: AnswerTests) -> Said | Verdict:
    """Return an answer ready to be tried; the verdict on one that is no literal."""
    if len(solution) > MOST_CHARS:
        return Verdict(Reason.UNJUDGED)
    try:
        call = _as_call(solution) if tests.function else None
        if call is not None:
            body = ast.unparse(call) if _is_said(call) else ""
        else:
            body = ast.unparse(_literal(_expression(solution)))
    except SyntaxError as error:
        told = GuestError(type(error).__name__, str(error.msg), error.lineno)
        return Verdict(Reason.COMPILE_ERROR, error=told)
    except (ValueError, TypeError, RecursionError, MemoryError):
        body = ""
    if not body:
        return Verdict(Reason.COMPUTED)
    check = f"assert answer() == {tests.expected}" if tests.expected else "pass"
    code = f"{tests.function}\n\ndef answer():\n    return {body}\n"
    tried = Problem(problem.id, "", (), "answer", limits=problem.limits)
    shown = f"assert {body} == {tests.expected}" if tests.function else ""
    return Said(tried, code, CheckTests(check), shown)


def _expression(text: str) -> ast.expr:
    return ast.parse(text.strip(), mode="eval").body


def _literal(node: ast.expr) -> ast.expr:
    """Return an expression that is a literal.

    Raises:
        ValueError: it is none.
    """
    ast.literal_eval(node)
    return node


def _as_call(solution: str) -> ast.Call:
    """Return arguments, or a call `f(arguments)`, as that call."""
    text = solution.strip()
    try:
        given = _expression(text)
    except SyntaxError:
        given = None
    if isinstance(given, ast.Call) and _is_name(given.func):
        return given
    call = _expression(f"{FUNCTION}({text}\n)")
    if not isinstance(call, ast.Call) or not _is_name(call.func):  # as in `1), g(2`
        raise SyntaxError(text)
    return call


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == FUNCTION


def _is_said(call: ast.Call) -> bool:
    """Whether all arguments are literals, or lambdas that know nothing but their own arguments."""
    named = (each.value for each in call.keywords if each.arg is not None)
    whole = all(each.arg is not None for each in call.keywords)
    return whole and all(_is_literal(each) or _is_closed(each) for each in [*call.args, *named])


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return False
    return True


def _is_closed(node: ast.expr) -> bool:
    """Whether a function can come to know no more than what it is called with."""
    if not isinstance(node, ast.Lambda):
        return False
    known = {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
    if node.args.defaults or any(node.args.kw_defaults):
        return False
    return all(_knows_only(known, each) for each in ast.walk(node))


def _knows_only(known: set[str], node: ast.AST) -> bool:
    match node:
        case ast.Name(name):
            return name in known
        case ast.Attribute(_, name):
            return not name.startswith("_")
        case _:
            return isinstance(node, _LAMBDA_PARTS)
