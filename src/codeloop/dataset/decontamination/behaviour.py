"""The level that runs: whether a function of a row solves a problem, whatever it is called."""

import ast
import marshal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

from codeloop.core.errors import SandboxError
from codeloop.core.execution import MIB, ExecutionLimits, ExecutionResult
from codeloop.core.problem import Problem
from codeloop.dataset.decontamination.passages import Passage, parsed
from codeloop.dataset.decontamination.probes import probes, variations
from codeloop.dataset.decontamination.wording import Nearest, texts_of
from codeloop.dataset.keys import chooser, digest
from codeloop.judge.many import RigPool

_LIMITS = ExecutionLimits(cpu_s=20.0, wall_s=40.0, memory_bytes=1024 * MIB)
_NEAREST = 3  # problems without probes that are tried all the same
_NEAR = 0.2  # the least cosine of these
_CONFIRMED = 4  # problems of a piece of code that are judged
_AGREED = 0.9  # of varied inputs on which a function that passes has to agree with the reference
_LEAST = 10  # tokens of a solution that gives something away
_FEW = 4  # inputs that say nothing
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
    that are known is tried if its words are near, or its function has the same name. What came of a
    piece of code is remembered: dialogues about one problem share its solution.
    """

    def __init__(self, problems: Sequence[Problem], pool: RigPool, nearest: Nearest) -> None:
        self._problems = {
            each.id: each
            for each in problems
            if each.entry_point and each.language == "python" and not _is_trivial(each)
        }
        self._pool = pool
        self._nearest = nearest
        self._ids = list(self._problems)
        known = {name: probes(each) for name, each in self._problems.items()}
        self._probes = {name: found for name, found in known.items() if found}
        self._calls = [
            (number, [(each.arguments, each.answer) for each in known[name]])
            for number, name in enumerate(self._ids)
            if known[name]
        ]
        self._unprobed = self._problems.keys() - self._probes.keys()
        self._at_fault: set[str] = set()  # their tests cannot be tried apart from their solution
        self._screens: dict[str, tuple[tuple[str, str], ...]] = {}
        self._verdicts: dict[str, bool] = {}
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

    def _screened(self, code: str, places: list[str]) -> tuple[tuple[str, str], ...]:
        key = digest(code)
        if key not in self._screens:
            self._screens[key] = tuple(
                (places[place], self._ids[number])
                for place, number in self._asked("screen", code, places, self._calls)
                if place < len(places) and number < len(self._ids)
            )
        return self._screens[key]

    def _asked(self, *what: Any) -> list[tuple[int, int]]:
        """Return the pairs of numbers that the guest's program prints."""
        with self._pool.lend() as rig:
            *_, result = rig.run(self._program, limits=_LIMITS, stdin=marshal.dumps(what))
        if not isinstance(result, ExecutionResult):
            msg = "a run ended without a result"
            raise SandboxError(msg)
        lines = [line.split() for line in result.stdout.text.splitlines()]
        pairs = [line for line in lines if len(line) == 2 and all(map(str.isdecimal, line))]  # noqa: PLR2004
        return [(int(one), int(two)) for one, two in pairs]

    def _agrees(self, code: str, place: str, problem: Problem) -> bool:
        """Whether a function gives what the reference gives beyond the tests.

        Of a few tests a function of another kind may pass all. Inputs are varied from those that
        are known; the reference says what is right for those that it takes.
        """
        if problem.hidden or not problem.reference or problem.id not in self._probes:
            return True
        inputs = list(variations(self._probes[problem.id], chooser(problem.id, "variations")))
        entry = problem.entry_point
        pairs = self._asked("compare", code, place, problem.reference, entry, inputs)
        return all(agreed >= _AGREED * count for agreed, count in pairs if count >= _FEW)

    def _passes(self, code: str, place: str, problem: Problem) -> bool:
        key = digest([code, place, problem.id])
        if key not in self._verdicts:
            self._verdicts[key] = self._tried(code, place, problem)
        return self._verdicts[key]

    def _tried(self, code: str, place: str, problem: Problem) -> bool:
        if problem.id in self._at_fault:
            return False
        name, _, method = place.partition(".")
        call = f"{name}().{method}" if method else name
        entry = problem.entry_point.rpartition(".")[2]
        solution = f"{code}\n{entry} = {call}\n"
        if "." in problem.entry_point:  # its tests make an object of a class
            problem = replace(problem, entry_point=entry)
        try:
            passed = self._pool.judge(problem, solution).passed
        except SandboxError:
            if self._can_be_judged(problem):
                raise
            self._at_fault.add(problem.id)
            return False
        return passed and self._agrees(code, place, problem)

    def _can_be_judged(self, problem: Problem) -> bool:
        """Whether its tests run with its own solution: some of MBPP's need a class of that."""
        try:
            self._pool.judge(replace(problem, preamble=""), problem.reference)
        except SandboxError:
            return False
        return True


def _is_trivial(problem: Problem) -> bool:
    """Whether a solution is so short that anyone would write it: `return n - 1`."""
    return 0 < len(texts_of(problem).body) < _LEAST


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
