"""What a mutation starts from: a problem whose right solution stands alone, and its examples."""

import ast
import builtins
import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from codeloop.core.execution import TrialLimits
from codeloop.core.problem import CheckTests, Problem
from codeloop.dataset.records import Malformed, Query

Row = dict[str, Any]

_LIMITS = TrialLimits(cpu_s=2.0, wall_s=60.0, step_cpu_s=0.5, step_wall_s=10.0)
# What LeetCodeDataset gives each solution, in its order: of one name, the last is meant.
_STARRED = (
    *("typing", "functools", "collections", "itertools", "heapq", "bisect"),
    *("string", "operator", "math"),
)
_MODULES = frozenset({"math", "datetime", "random", "re", "collections", "heapq", "bisect"})
_MBPP_TRAIN = range(601, 975)  # 11 to 510 are its test part, 511 to 600 its validation part


@dataclass(frozen=True, slots=True)
class Check:
    """An example that a problem shows: a call, and what it should give, as Python writes both."""

    call: str
    expected: str


@dataclass(frozen=True, slots=True)
class Task:
    """A problem whose reference needs nothing before it, and how it is put to somebody.

    `statement` says what is wanted, without tests; `starter` are the first lines of a solution,
    if they are given. `checks` are the visible tests, as examples.
    """

    problem: Problem
    statement: str
    starter: str
    name: str  # what a person calls
    checks: tuple[Check, ...]
    source: str
    licence: str


@dataclass(frozen=True, slots=True)
class Unfit:
    """A problem that no task can be made of, and why."""

    problem_id: str
    why: str


def leetcode_tasks(rows: Iterable[tuple[str, Row] | Malformed]) -> Iterator[Task | Unfit]:
    """Yield the problems of LeetCodeDataset's training part from its rows and their places."""
    for each in rows:
        yield _made(leetcode_task, each)


def mbpp_tasks(rows: Iterable[tuple[str, Row] | Malformed]) -> Iterator[Task | Unfit]:
    """Yield the problems of MBPP's training part; all others are passed over."""
    for each in rows:
        if isinstance(each, Malformed) or each[1].get("task_id") in _MBPP_TRAIN:
            yield _made(mbpp_task, each)


def leetcode_task(row: Row) -> Task | Unfit:
    """Return a row of LeetCodeDataset 0.2 as a task.

    Its statements have lost their exponents (`10^4` is `104`), so that the constraints, which
    are full of them, are left out.
    """
    name, given = f"leetcode/{row['task_id']}", row["entry_point"]
    code = row["completion"].strip() + "\n"
    try:
        imports = missing_imports(code)
    except LookupError as error:
        return Unfit(name, f"needs {error.args[0]}, which is not its own")
    told = row["meta"]["question_title"].replace("\xa0", " ").partition("Constraints:")[0]
    asserts = _asserts(ast.parse(row["test"]).body)
    if asserts is None:
        return Unfit(name, "its tests are not plain asserts")
    plain = _squeezed(told)
    shown = [each for each in asserts if _is_shown(each, plain)]
    if not shown:
        return Unfit(name, "its statement shows no test")
    rest = [each for each in asserts if each not in shown]
    head = f"{imports}\n\n" if imports else ""
    problem = Problem(
        name,
        f"{_tidy(told)}\n\nBegin with:\n\n{row['meta']['lang_code'].strip()}",
        (CheckTests(_check(shown), row["prompt"]),),
        given,
        visible=(CheckTests(_check(shown), row["prompt"]),),
        limits=_LIMITS,
        hidden=(CheckTests(_check(rest), row["prompt"]),) if rest else (),
        reference=f"{head}{code}",
    )
    return Task(
        problem,
        _tidy(told),
        row["meta"]["lang_code"].strip(),
        given.rpartition(".")[2],
        _checks(shown, given),
        "LeetCodeDataset-v0.2.0-train",
        "MIT",
    )


def mbpp_task(row: Row) -> Task | Unfit:
    """Return a row of MBPP as a task."""
    name = f"Mbpp/{row['task_id']}"
    lines = row["code"].replace("\t", "    ").splitlines()
    code = "\n".join(line.rstrip() for line in lines).strip() + "\n"
    asserts = _asserts(ast.parse("\n".join(row["test_list"])).body)
    if not asserts or row["test_setup_code"]:
        return Unfit(name, "its tests are not plain asserts")
    functions = {node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)}
    tested = {each.id for node in asserts for each in ast.walk(node) if isinstance(each, ast.Name)}
    called = sorted(functions & tested)
    if len(called) != 1:
        return Unfit(name, "its tests do not call one function")
    shown = CheckTests("\n".join(each.strip() for each in row["test_list"]))
    text = row["text"].strip()
    more = "\n".join(row["challenge_test_list"])
    problem = Problem(
        name,
        f'"""\n{text}\n{shown.source}\n"""\n',
        (shown,),
        called[0],
        visible=(shown,),
        limits=_LIMITS,
        hidden=(CheckTests(more),) if more else (),
        reference=code,
    )
    return Task(problem, text, "", called[0], _checks(asserts, ""), "MBPP train", "CC-BY-4.0")


def as_query(task: Task) -> Query:
    """Return a task as a request, with its solution as the answer."""
    answer = f"```python\n{task.problem.reference}```\n"
    return Query(task.statement, answer, task.source, task.licence, "python")


def missing_imports(code: str) -> str:
    """Return the import lines that LeetCodeDataset gives a solution and that this one needs.

    Raises:
        LookupError: it uses a name that no import gives.
    """
    wanted: dict[str, set[str]] = {}
    modules = set()
    for name in sorted(_free_names(code)):
        home = "math" if name == "inf" else _home(name)
        if home is not None:
            wanted.setdefault(home, set()).add(name)
        elif name in _MODULES:
            modules.add(name)
        else:
            raise LookupError(name)
    lines = [f"import {name}" for name in sorted(modules)]
    lines += [f"from {home} import {', '.join(sorted(wanted[home]))}" for home in sorted(wanted)]
    return "\n".join(lines)


@cache
def _public(module: str) -> frozenset[str]:
    loaded = importlib.import_module(module)
    names = getattr(loaded, "__all__", None) or dir(loaded)
    return frozenset(name for name in names if not name.startswith("_"))


def _home(name: str) -> str | None:
    homes = (module for module in reversed(_STARRED) if name in _public(module))
    return next(homes, None)


def _free_names(code: str) -> set[str]:
    bound, used = set(), set()
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                used.add(name)
            case ast.Name(id=name) | ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                bound.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                bound |= {(each.asname or each.name).partition(".")[0] for each in names}
            case _:
                pass
    return {name for name in used - bound if not hasattr(builtins, name)}


def _asserts(body: Sequence[ast.stmt]) -> list[ast.Assert] | None:
    """Return the asserts of tests, those in a `check` too; None if there is anything else."""
    if len(body) == 1 and isinstance(body[0], ast.FunctionDef):
        body = body[0].body
    found = [node for node in body if isinstance(node, ast.Assert)]
    return found if len(found) == len(body) else None


def _check(asserts: list[ast.Assert]) -> str:
    lines = [f"    {ast.unparse(node)}\n" for node in asserts]
    return f"def check(candidate):\n{''.join(lines)}"


def _checks(asserts: list[ast.Assert], entry_point: str) -> tuple[Check, ...]:
    """Return what asserts compare a call with, for those that are such an equation."""
    checks = []
    for node in asserts:
        match node.test:
            case ast.Compare(left=ast.Call() as call, ops=[ast.Eq()], comparators=[expected]):
                if entry_point:
                    call.func = ast.Name(entry_point, ast.Load())
                checks.append(Check(ast.unparse(call), ast.unparse(expected)))
            case _:
                pass
    return tuple(checks)


def _is_shown(node: ast.Assert, statement: str) -> bool:
    calls = (each for each in ast.walk(node.test) if isinstance(each, ast.Call))
    call = next(calls, None)
    if call is None:
        return False
    texts = [_squeezed(ast.unparse(each.value)) for each in call.keywords]
    texts += [_squeezed(ast.unparse(each)) for each in call.args]
    return all(text in statement for text in texts)


def _squeezed(text: str) -> str:
    return (
        re.sub(r"\s+", "", text).replace('"', "'").replace("True", "true").replace("False", "false")
    )


def _tidy(text: str) -> str:
    lines = [line.rstrip() for line in text.strip().split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


def _made(make: Callable[[Row], Task | Unfit], placed: tuple[str, Row] | Malformed) -> Task | Unfit:
    if isinstance(placed, Malformed):
        return Unfit(placed.where, placed.why)
    where, row = placed
    try:
        return make(row)
    except SyntaxError:
        return Unfit(str(row.get("task_id")), "its solution or its tests are no Python")
    except (KeyError, TypeError, AttributeError) as error:
        return Unfit(where, f"not a problem ({error!r})")
