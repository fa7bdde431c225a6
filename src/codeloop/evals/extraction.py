"""Chooses the solution in a reply by ordered rules; the one that applied goes into the record.

Each rule reads the reply a fixed number of times: its time is linear in the reply's length.
"""

import ast
import re
from dataclasses import dataclass
from enum import StrEnum

from codeloop.core.codeblocks import CodeBlock, find_blocks
from codeloop.core.problem import AnswerTests, Problem

_TAGGED = re.compile(r"<(solution|execute)>(.*?)(?:</\1>|\Z)", re.DOTALL)
_CODE_LINE = re.compile(r"^(?:def |class |import |from |async def |@)", re.MULTILINE)


class Rule(StrEnum):
    """How a solution was found, the surest first."""

    TAGGED = "tagged"  # what stands in <solution> or <execute>, and defines what the tests call
    DEFINES = "defines"  # the first code block that defines it
    CONTINUES = "continues"  # a code block that goes on where the prompt ends
    FIRST = "first"  # the first code block: nothing defines it
    LAST = "last"  # the last code block: the answer, after what led to it
    BARE = "bare"  # code without a fence, from its first line on
    BARE_CONTINUES = "bare_continues"  # text without a fence that goes on where the prompt ends
    KEPT = "kept"  # there is no code: the solution of the turn before stands
    NONE = "none"  # there is no code, and was none


@dataclass(frozen=True, slots=True)
class Extraction:
    """The code of a solution, and the rule that found it."""

    code: str
    rule: Rule


def extract(reply: str, problem: Problem) -> Extraction:
    """Return the solution in a reply."""
    for tests in problem.tests:
        if isinstance(tests, AnswerTests):
            return _answer(reply, arguments=bool(tests.function))
    blocks = [block.code for block in find_blocks(reply) if _is_of(block, problem.language)]
    name = problem.entry_point.partition("(")[0]
    if problem.language != "python":
        return _in_another_language(blocks, name, problem)
    return _in_python(reply, blocks, name, problem)


def _in_python(reply: str, blocks: list[str], name: str, problem: Problem) -> Extraction:
    if not name:  # a whole program
        return Extraction(blocks[0], Rule.FIRST) if blocks else _bare(reply, "", problem)
    tagged = [match[2].strip("\n") + "\n" for match in _TAGGED.finditer(reply)]
    for codes, rule in ((tagged, Rule.TAGGED), (blocks, Rule.DEFINES)):
        found = next((code for code in codes if defines(code, name)), None)
        if found is not None:
            return Extraction(found, rule)
    whole = next((problem.prompt + code for code in blocks if _goes_on(code, problem, name)), None)
    if whole is not None:
        return Extraction(whole, Rule.CONTINUES)
    if blocks or tagged:
        return Extraction((blocks or tagged)[0], Rule.FIRST)
    return _bare(reply, name, problem)


def _answer(reply: str, *, arguments: bool) -> Extraction:
    """Return the answer that a reply ends with, out of the assert or the equation it stands in."""
    blocks = [block.code for block in find_blocks(reply) if _is_of(block, "python")]
    if blocks:
        return Extraction(_bare_answer(blocks[-1], arguments=arguments), Rule.LAST)
    line = reply.strip().rpartition("\n")[2].strip("` ")
    return Extraction(_bare_answer(line, arguments=arguments), Rule.BARE if line else Rule.NONE)


def _bare_answer(text: str, *, arguments: bool) -> str:
    try:
        last = ast.parse(text).body[-1]
    except (SyntaxError, ValueError, IndexError, RecursionError, MemoryError):
        return text
    match last:
        case ast.Assert(ast.Compare(left, [ast.Eq()], [right])) | ast.Expr(
            ast.Compare(left, [ast.Eq()], [right])
        ):
            chosen = left if arguments == isinstance(left, ast.Call) else right
        case ast.Assign(_, chosen) | ast.Expr(chosen):
            pass
        case _:
            return text
    return ast.get_source_segment(text, chosen) or text


def _in_another_language(blocks: list[str], name: str, problem: Problem) -> Extraction:
    named = next((code for code in blocks if not name or name in code), None)
    if named is not None:
        return Extraction(named, Rule.DEFINES)
    if blocks:
        return Extraction(problem.prompt + blocks[0], Rule.CONTINUES)
    return Extraction("", Rule.NONE)


def defines(code: str, name: str) -> bool:
    """Whether code is Python that defines a function or class of that name, or assigns to it."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(_binds(node, name) for node in body)


def _binds(node: ast.stmt, name: str) -> bool:
    match node:
        case ast.FunctionDef() | ast.ClassDef() | ast.AsyncFunctionDef():
            return node.name == name
        case ast.Assign():
            return any(isinstance(each, ast.Name) and each.id == name for each in node.targets)
        case _:
            return False


def _is_of(block: CodeBlock, language: str) -> bool:
    return block.language in {language, ""}


def _goes_on(code: str, problem: Problem, name: str) -> bool:
    indented = code.lstrip("\n").startswith((" ", "\t"))
    return indented and defines(problem.prompt + code, name)


def _bare(reply: str, name: str, problem: Problem) -> Extraction:
    """Return the code of a reply without fences."""
    start = _CODE_LINE.search(reply)
    if start is not None:
        code = _as_far_as_it_parses(reply[start.start() :])
        if code and (not name or defines(code, name)):
            return Extraction(code, Rule.BARE)
    if name and _goes_on(reply, problem, name):
        return Extraction(problem.prompt + reply, Rule.BARE_CONTINUES)
    return Extraction("", Rule.NONE)


def _as_far_as_it_parses(text: str) -> str:
    """Return code without the prose that follows it: all before the first line that is no code."""
    for _ in range(2):
        try:
            ast.parse(text)
        except SyntaxError as error:
            lines = text.splitlines(keepends=True)
            text = "".join(lines[: max(0, (error.lineno or 1) - 1)])
        except (ValueError, RecursionError, MemoryError):
            return ""
        else:
            return text
    return ""
