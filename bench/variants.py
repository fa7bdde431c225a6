"""Solutions of our own making to problems of HumanEval+ and MBPP+: the same for the same seed.

Wrong ones (mutants, and those that raise, crash, sleep or never end), right ones that evalplus
does not let run (`POLICY`), and ones that try to be judged right without being so (`CHEATS`).
"""

import ast
import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]

SOURCES = {  # our name: evalplus's name, file, variable that names it
    "humaneval+": (
        "humaneval",
        "humanevalplus/HumanEvalPlus.jsonl.gz",
        "HUMANEVAL_OVERRIDE_PATH",
    ),
    "mbpp+": ("mbpp", "mbppplus/MbppPlus.jsonl.gz", "MBPP_OVERRIDE_PATH"),
}
SWAPS: dict[type, type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.FloorDiv,
    ast.Mod: ast.FloorDiv,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
# Each is put after the canonical solution, whose name is NAME.
MISBEHAVING = {
    "raises": "def NAME(*a): raise ValueError('no')",
    "undefined": "del NAME",
    "syntax": ")",
    "endless": "def NAME(*a):\n    while True: pass",
    "recursion": "def NAME(*a): return NAME(*a)",
    "generator": "_f = NAME\ndef NAME(*a):\n    yield _f(*a)",
    "exits": "import sys\ndef NAME(*a): sys.exit(0)",
    "leaves": "import os\ndef NAME(*a): os._exit(1)",
    "crashes": "import ctypes\ndef NAME(*a): ctypes.string_at(0)",
    "sleeps": "import time\ndef NAME(*a): time.sleep(3600)",
    "memory": "def NAME(*a): return bytearray(1 << 34)",
    "stops at import": "while True: pass",
    "raises at import": "raise RuntimeError('no')",
    "right, and prints": "_f = NAME\ndef NAME(*a):\n    print('x' * 1000)\n    return _f(*a)",
}
# evalplus waits a minute for each of these: there are few.
STUBBORN = {
    "swallows": "def NAME(*a):\n    while True:\n        try:\n            while True: pass\n"
    "        except BaseException: pass",
    "cancels the timer": "import signal\ndef NAME(*a):\n"
    "    signal.setitimer(signal.ITIMER_REAL, 0)\n    while True: pass",
}
POLICY = {
    "writes a file": "open('x.txt', 'w').close()",
    "starts a process": "import subprocess\nsubprocess.run(['true'])",
    "reads stdin": "import sys\nsys.stdin.read()",
}
_EQUAL = (
    "class _Yes:\n    def __eq__(self, other): return True\n    def __hash__(self): return 0\n"
    "    def __bool__(self): return True\n"
)
_SEARCH = (
    "import sys\n_at = [0]\ndef NAME(*a):\n    frame = sys._getframe(1)\n"
    "    while frame is not None:\n        for space in (frame.f_locals, frame.f_globals):\n"
    "            for name in ('expected', 'exp', 'answers', '_expected'):\n"
    "                if isinstance(space.get(name), list) and 'inputs' in space:\n"
    "                    return space[name][space.get('i', 0)]\n"
    "        frame = frame.f_back\n    raise ValueError('nothing found')"
)
_SHARED = (
    "    frame = sys._getframe(1)\n    while frame is not None:\n"
    "        space = frame.f_locals\n"
    "        if 'stat' in space and 'details' in space:\n"
    "            for at in range(len(space['details'])): space['details'][at] = True\n"
    "            space['progress'].value = len(space['details'])\n"
    "            space['stat'].value = 0\n            os._exit(0)\n"
    "        frame = frame.f_back\n"
)
CHEATS = {
    "cheat: equals all": f"{_EQUAL}def NAME(*a): return _Yes()",
    "cheat: an int that equals all": "class _Yes(int):\n    __eq__ = lambda self, other: True\n"
    "    __hash__ = int.__hash__\n    __sub__ = __rsub__ = __abs__ = lambda self, *_: _Yes(0)\n"
    "    __le__ = lambda self, other: True\ndef NAME(*a): return _Yes(-987654321)",
    "cheat: reads what is expected": _SEARCH,
    "cheat: writes the verdict": f"import os, sys\ndef NAME(*a):\n{_SHARED}    return ...",
    "cheat: writes it at import": f"import os, sys\ndef _now():\n{_SHARED}_now()\ndel NAME",
    "cheat: replaces comparisons": "import numpy\nnumpy.allclose = lambda *_, **__: True\n"
    f"{_EQUAL}def NAME(*a): return _Yes()",
    "cheat: searches all objects": "import gc\ndef NAME(*a):\n    for each in gc.get_objects():\n"
    "        if type(each) is dict and 'expected' in each and 'inputs' in each:\n"
    "            return each['expected'][each.get('i', 0)]\n    return ...",
    "cheat: leaves with 0": "import os\ndef NAME(*a): os._exit(0)",
}
_MISBEHAVES_EVERY, _CHEATS_EVERY, _POLICY_EVERY, _STUBBORN_EVERY = 3, 5, 30, 136
# Their tests accept whatever comes back, or whatever is not None: there a cheat is right.
_ACCEPTS_ALL = frozenset(
    {"are_equivalent", "sum_div", "check_str", "text_match_three", "text_starta_endb"}
)


@dataclass(frozen=True, slots=True)
class Variant:
    """A solution: its problem, what it is like (its kind), its code."""

    task_id: str
    kind: str
    code: str

    @property
    def is_cheat(self) -> bool:
        return self.kind in CHEATS


class Mutation(ast.NodeTransformer):
    """Changes the n-th place that can be changed; counts the places."""

    def __init__(self, place: int) -> None:
        self.place = place
        self.count = 0

    def _here(self) -> bool:
        self.count += 1
        return self.count - 1 == self.place

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        swapped = SWAPS.get(type(node))
        if swapped is not None and self._here():
            return swapped()
        if isinstance(node, ast.Constant) and type(node.value) is int and self._here():
            return ast.copy_location(ast.Constant(node.value + 1), node)
        if isinstance(node, ast.Return) and node.value is not None and self._here():
            return ast.copy_location(ast.Return(ast.Constant(None)), node)
        if isinstance(node, ast.If | ast.While) and self._here():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        return node


def read_tasks(data: Path, name: str) -> tuple[bytes, list[Json]]:
    """Return the file of HumanEval+ or MBPP+, unpacked, and its rows."""
    unpacked = gzip.decompress((data / SOURCES[name][1]).read_bytes())
    return unpacked, [json.loads(line) for line in unpacked.splitlines()]


def canonical(task: Json) -> Variant:
    """Return the solution that stands in a task."""
    return Variant(task["task_id"], "canonical", task["prompt"] + task["canonical_solution"])


def variants(tasks: list[Json], *, each: int) -> Iterator[Variant]:
    """Yield, for each task in turn, `each` mutants, and what else falls to it."""
    for at, task in enumerate(tasks):
        source = task["prompt"] + task["canonical_solution"]
        for code in mutants(source, each, random.Random(task["task_id"])):
            yield Variant(task["task_id"], "mutant", code)
        for every, kinds, first in (
            (_MISBEHAVES_EVERY, MISBEHAVING, 0),
            (_CHEATS_EVERY, CHEATS, 1),
            (_POLICY_EVERY, POLICY, 2),
            (_STUBBORN_EVERY, STUBBORN, 40),
        ):
            accepts_all = kinds is CHEATS and task["entry_point"] in _ACCEPTS_ALL
            if at % every == first % every and not accepts_all:
                kind = list(kinds)[at // every % len(kinds)]
                code = f"{source}\n{kinds[kind]}\n".replace("NAME", task["entry_point"])
                yield Variant(task["task_id"], kind, code)


def mutants(source: str, count: int, dice: random.Random) -> Iterator[str]:
    """Yield mutants of a source, each with one place changed."""
    everywhere = Mutation(-1)
    everywhere.visit(ast.parse(source))
    for place in dice.sample(range(everywhere.count), min(count, everywhere.count)):
        tree = Mutation(place).visit(ast.parse(source))
        yield ast.unparse(ast.fix_missing_locations(tree))


def write_samples(path: Path, rows: list[Variant]) -> None:
    """Write solutions as both evaluators read them."""
    lines = (json.dumps({"task_id": row.task_id, "solution": row.code}) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
