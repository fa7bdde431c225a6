"""The critic that tests: what it says rests on the visible tests alone."""

import ast
from dataclasses import dataclass

from codeloop.core.dialogue import Dialogue, Turn
from codeloop.core.problem import Problem, Reason, Verdict
from codeloop.core.protocols import Rig
from codeloop.judge.judging import judge

_LANGUAGES = frozenset({"python", ""})


@dataclass(frozen=True, slots=True)
class JudgeCritic:
    """Judges the solution in each reply by the problem's visible tests; fills `Critic`."""

    problem: Problem
    rig: Rig

    def review(self, dialogue: Dialogue, turn: Turn) -> Verdict | None:
        """Return the verdict; None where there are no visible tests.

        Raises:
            SandboxError: the rig failed.
        """
        if not self.problem.visible:
            return None
        solution = find_solution(turn, self.problem.entry_point)
        if solution is None:
            return Verdict(Reason.UNDEFINED)
        return judge(self.problem, solution, self.rig, tests=self.problem.visible)


def find_solution(turn: Turn, entry_point: str) -> str | None:
    """Return the first code block that defines the function, or else the first that is code."""
    blocks = [cell.code for cell in turn.cells if cell.language in _LANGUAGES]
    defining = (block for block in blocks if _defines(block, entry_point))
    return next(defining, blocks[0] if blocks else None)


def _defines(code: str, name: str) -> bool:
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(
        isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
        and node.name == name
        for node in body
    )
