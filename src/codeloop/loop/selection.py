"""Decide which code blocks of a reply are to run: what the reply asks for, and nothing else."""

import ast
import re
from collections.abc import Collection

from codeloop.core.codeblocks import CodeBlock, find_blocks
from codeloop.core.dialogue import Cell, Finish, Skipped

_OUTPUT = frozenset({"output", "out", "result", "results", "stdout", "stderr", "text", "txt"})
_OUTPUT |= {"plaintext", "plain", "traceback", "log", "none", "nohighlight"}
_TRANSCRIPT = frozenset({"console", "pycon", "doctest", "shell-session", "terminal"})
_PROMPT = re.compile(r"^\s*(>>>|In \[\d+\]:|\$ )")
_INSTALL = re.compile(
    r"(?:[!%]\s*|sudo\s+)?(?:python3?\s+-m\s+)?"
    r"(?:pip3?|conda|mamba|uv|apt|apt-get|brew|npm|yarn|pnpm|gem|cargo|go)\s+"
    r"(?:pip\s+)?(?:install|add|i|get|update)\b.*"
)
_STATEMENTS = (
    *(ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Call),
    *(ast.For, ast.While, ast.With),
    *(ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom),
)


def select_cells(reply: str, languages: Collection[str], finish: Finish) -> tuple[Cell, ...]:
    """Return the code blocks of a reply as cells; those with no `skipped` are to run, in order.

    A block runs if its language is one of `languages`. A block without a language is Python if
    it parses as Python and does something, and no other block of the reply names a language
    that runs: beside one that does, it is what the code prints. Prose is never run.
    """
    blocks = find_blocks(reply)
    labelled = any(block.language in languages for block in blocks)
    return tuple(_cell(block, languages, finish, labelled=labelled) for block in blocks)


def _cell(block: CodeBlock, languages: Collection[str], finish: Finish, *, labelled: bool) -> Cell:
    language = block.language
    if not language and not labelled and "python" in languages and _is_program(block.code):
        language = "python"
    return Cell(language, block.code, skipped=_why_not(block, language, languages, finish))


def _why_not(
    block: CodeBlock, language: str, languages: Collection[str], finish: Finish
) -> Skipped | None:
    cut_off = not block.closed and finish not in {Finish.STOP, Finish.REPEATING}
    reasons = {
        Skipped.OUTPUT: language in _OUTPUT,
        Skipped.TRANSCRIPT: language in _TRANSCRIPT or _PROMPT.match(block.code),
        Skipped.UNLABELLED: not language,
        Skipped.INSTALL: _only_installs(block.code),
        Skipped.NO_RUNNER: language not in languages,
        Skipped.CUT_OFF: cut_off,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _only_installs(code: str) -> bool:
    """Return whether code is nothing but commands that install packages, and comments."""
    lines = [line.strip() for line in code.splitlines()]
    commands = [line for line in lines if line and not line.startswith("#")]
    return bool(commands) and all(_INSTALL.fullmatch(command) for command in commands)


def _is_program(code: str) -> bool:
    """Return whether text is Python that does something, unlike `42`, `Yes` or `# Title`."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, _STATEMENTS) for node in ast.walk(tree))
