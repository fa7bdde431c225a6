"""The level that runs: whether a function of a row solves a problem, whatever it is called."""

import ast
import marshal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.resources import files

from codeloop.core.errors import SandboxError
from codeloop.core.execution import MIB, ExecutionLimits, ExecutionResult
from codeloop.core.problem import Problem
from codeloop.dataset.decontamination.nearest import Nearest
from codeloop.dataset.decontamination.passages import Passage, parsed
from codeloop.dataset.decontamination.probes import probes
from codeloop.judge.many import RigPool

_LIMITS = ExecutionLimits(cpu_s=20.0, wall_s=40.0, memory_bytes=1024 * MIB)
_NEAREST = 3  # problems without probes that are tried all the same
_NEAR = 0.2  # the least cosine of these
_CONFIRMED = 4  # problems of a piece of code that are judged
# What a piece of code may have left for its reader to import.
_IMPORTS = """\
import collections, functools, heapq, itertools, math, random, re, string, sys
from collections import *
from typing import *
"""


class Behaviour:
    """Finds problems whose tests a function of a row passes.

    Every function is called with the arguments of a few calls of every problem, in one run in the
    jail; where all comes back right, the judge tries it against all tests. A problem without calls
    that are known is tried if its words are near, or its function has the same name.
    """

    def __init__(self, problems: Sequence[Problem], pool: RigPool, nearest: Nearest) -> None:
        self._problems = {
            each.id: each for each in problems if each.entry_point and each.language == "python"
        }
        self._pool = pool
        self._nearest = nearest
        self._ids = list(self._problems)
        known = [probes(each) for each in self._problems.values()]
        self._calls = [
            (number, [(each.arguments, each.answer) for each in found])
            for number, found in enumerate(known)
            if found
        ]
        probed = {self._ids[number] for number, _ in self._calls}
        self._unprobed = self._problems.keys() - probed
        self._at_fault: set[str] = set()  # their tests cannot be tried apart from their solution
        self._by_name: dict[str, list[str]] = {}
        for each in self._problems.values():
            name = each.entry_point.rpartition(".")[2]
            self._by_name.setdefault(name, []).append(each.id)
        self._program = (
            files("codeloop.dataset.decontamination")
            .joinpath("screen.py")
            .read_text(encoding="utf-8")
        )

    def find(self, passage: Passage) -> Iterator[tuple[str, str]]:
        """Yield the problem and the function that solves it.

        Raises:
            SandboxError: the sandbox broke.
        """
        for code in passage.codes:
            places = _places(code)
            if not places:
                continue
            whole = f"{_IMPORTS}{code}"
            tried = dict.fromkeys([*self._named(places), *self._screened(whole, places)])
            tried |= dict.fromkeys(self._near(passage, places))
            for place, problem in list(tried)[: _CONFIRMED * len(places)]:
                if self._passes(whole, place, self._problems[problem]):
                    yield problem, f"{place} passes its tests"

    def _named(self, places: list[str]) -> Iterator[tuple[str, str]]:
        for place in places:
            for problem in self._by_name.get(place.rpartition(".")[2], ()):
                yield place, problem

    def _near(self, passage: Passage, places: list[str]) -> Iterator[tuple[str, str]]:
        if not self._unprobed:
            return
        for problem, cosine in self._nearest.find(passage.text, _NEAREST):
            if problem in self._unprobed and cosine >= _NEAR:
                yield from ((place, problem) for place in places)

    def _screened(self, code: str, places: list[str]) -> Iterator[tuple[str, str]]:
        stdin = marshal.dumps((code, places, self._calls))
        with self._pool.lend() as rig:
            *_, result = rig.run(self._program, limits=_LIMITS, stdin=stdin)
        if not isinstance(result, ExecutionResult):
            msg = "a run ended without a result"
            raise SandboxError(msg)
        for line in result.stdout.text.splitlines():
            match line.split():
                case [one, two] if one.isdecimal() and two.isdecimal():
                    place, number = int(one), int(two)
                    if place < len(places) and number < len(self._ids):
                        yield places[place], self._ids[number]
                case _:
                    continue  # what the code itself printed

    def _passes(self, code: str, place: str, problem: Problem) -> bool:
        if problem.id in self._at_fault:
            return False
        name, _, method = place.partition(".")
        call = f"{name}().{method}" if method else name
        entry = problem.entry_point.rpartition(".")[2]
        solution = f"{code}\n{entry} = {call}\n"
        if "." in problem.entry_point:  # its tests make an object of a class
            problem = replace(problem, entry_point=entry)
        try:
            return self._pool.judge(problem, solution).passed
        except SandboxError:
            if self._can_be_judged(problem):
                raise
            self._at_fault.add(problem.id)
            return False

    def _can_be_judged(self, problem: Problem) -> bool:
        """Whether its tests run with its own solution: some of MBPP's need a class of that."""
        try:
            self._pool.judge(replace(problem, preamble=""), problem.reference)
        except SandboxError:
            return False
        return True


def _places(code: str) -> list[str]:
    """Return the functions that a piece of code defines, and the methods of its classes."""
    tree = parsed(code)
    found: list[str] = []
    for node in tree.body if tree is not None else ():
        if isinstance(node, ast.FunctionDef):
            found.append(node.name)
        elif isinstance(node, ast.ClassDef):
            found += [
                f"{node.name}.{each.name}"
                for each in node.body
                if isinstance(each, ast.FunctionDef) and not each.name.startswith("_")
            ]
    return list(dict.fromkeys(found))
