"""What the two sides of a dialogue say: chosen by seed among the ways of `texts/mutation.md`."""

import ast
import random
import re
from string import Template

from codeloop.core.execution import TIME_LIMITS, ExecutionResult, GuestError, Status
from codeloop.core.problem import Reason, Verdict
from codeloop.dataset.mutation.faults import Fault
from codeloop.dataset.mutation.tasks import Check, Task
from codeloop.loop.prompts import sections, variants

_PLACE = re.compile(r" \(<[^>]*>, line \d+\)$")  # that a syntax error was found at
_SHORT_CHARS = 160  # of a value or a call that stands in a sentence


class Words:
    """Says things about one task, each in a way that the seed chooses.

    Nothing is said that a run has not shown, or that does not follow from the fault.
    """

    def __init__(self, chance: random.Random, task: Task) -> None:
        self._chance = chance
        self._task = task

    def say(self, section: str, **values: object) -> str:
        """Return one of the ways to say something."""
        return self._choice(variants("mutation")[section]).substitute(values)

    def ask(self, *, tried: bool, examples: bool = True) -> str:
        """Return the request of somebody who has this task."""
        task = self._task
        if task.starter:
            begin = self.say("begin_starter", starter=task.starter)
        elif examples:
            shown = "\n".join(f"assert {each.call} == {each.expected}" for each in task.checks)
            begin = self.say("begin_checks", name=task.name, checks=shown)
        else:
            begin = self.say("begin_name", name=task.name)
        return self.say("ask_tried" if tried else "ask", statement=task.statement, begin=begin)

    def ask_as_evaluation(self) -> str:
        """Return the request in the very words of an evaluation."""
        return sections("evaluation")["solve"].substitute(prompt=self._task.problem.prompt.strip())

    def first(self, code: str, *, tried: bool) -> str:
        """Return a first reply, which believes in its code."""
        true = approaches(self._task.problem.reference)
        approach = self.say(self._chance.choice(true))
        return _with_code(self.say("first_tried" if tried else "first", approach=approach), code)

    def repair(self, observed: str, fault: Fault, code: str, *, last: bool = True) -> str:
        """Return a reply that says what was seen, what was wrong, and the code without it."""
        values = {"right": fault.right, "wrong": fault.wrong, "name": fault.name}
        name = f"cause_{fault.kind}{f'_{fault.form}' if fault.form else ''}"
        cause = self.say(name, **values)
        if not last:
            mend = self.say("mend_next")
        elif fault.right and fault.wrong and fault.right != fault.wrong and self._often(0.5):
            mend = self.say("mend_right", **values)
        else:
            mend = self.say("mend")
        sentences = [observed, cause, mend]
        if self._often(0.15):
            sentences = [cause, mend]
        return _with_code(" ".join(each for each in sentences if each), code)

    def observed(self, verdict: Verdict) -> str:
        """Return what a verdict shows, as who has to mend the code puts it."""
        match verdict.reason:
            case Reason.WRONG_ANSWER:
                values = self._values(verdict)
                return (
                    self.say("observe_wrong", **values)
                    if values
                    else self.say("observe_wrong_long")
                )
            case Reason.EXCEPTION:
                return self._raised(verdict.error)
            case Reason.COMPILE_ERROR:
                return self.say("observe_compile", error=_named(verdict.error))
            case Reason.LIMIT:
                return self._stopped(verdict.limit)
            case _:
                return self.say("observe_died")

    def observed_run(self, result: ExecutionResult, failed: Check | None) -> str:
        """Return what a run that failed shows; `failed` is the assert that it stopped at."""
        if result.status is Status.COMPILE_ERROR or _is_syntax(result.error):
            return self.say("observe_compile", error=_named(result.error))
        if result.status is not Status.ERROR:
            return self._stopped(result.status)
        if failed is not None and _fits(failed.call, failed.expected):
            return self.say("observe_assert", call=failed.call, expected=failed.expected)
        return self._raised(result.error)

    def observed_print(self, call: str, actual: str, expected: str) -> str:
        """Return that an example printed something else than it should."""
        return self.say("observe_printed", call=call, actual=actual, expected=expected)

    def complaint(self, verdict: Verdict) -> str | None:
        """Return how a person who called the function says what came of it; None if unsayable."""
        values = self._values(verdict)
        match verdict.reason:
            case Reason.WRONG_ANSWER if values:
                return self.say("person_wrong", **values)
            case Reason.EXCEPTION if verdict.input and _fits(self._call(verdict)):
                return self.say(
                    "person_exception", call=self._call(verdict), error=_named(verdict.error)
                )
            case Reason.LIMIT if verdict.limit in TIME_LIMITS:
                return self.say("person_limit")
            case _:
                return None

    def agreed(self, verdict: Verdict) -> str:
        """Return the beginning of an answer to a complaint."""
        values = self._values(verdict)
        if verdict.reason is Reason.WRONG_ANSWER and values:
            return self.say("observe_person_wrong", **values)
        return self.say("observe_person")

    def closing(self, printed: list[tuple[str, str]]) -> str:
        """Return the last words, of what the examples (call, output) gave."""
        results = [
            self.say("result", call=call, actual=actual)
            for call, actual in printed
            if _fits(call, actual)
        ]
        if not results or len(results) < len(printed):
            return self.say("closing_silent")
        return self.say("closing", results=", ".join(results))

    def _values(self, verdict: Verdict) -> dict[str, str] | None:
        call = self._call(verdict)
        if verdict.actual and verdict.expected and _fits(call, verdict.actual, verdict.expected):
            return {"call": call, "actual": verdict.actual, "expected": verdict.expected}
        return None

    def _call(self, verdict: Verdict) -> str:
        return f"{self._task.name}({verdict.input})"

    def _raised(self, error: GuestError | None) -> str:
        if error is not None and error.line is not None:
            return self.say("observe_exception_line", error=_named(error), line=error.line)
        return self.say("observe_exception", error=_named(error))

    def _stopped(self, limit: Status | None) -> str:
        return self.say("observe_limit" if limit in TIME_LIMITS else "observe_stopped")

    def _choice(self, ways: tuple[Template, ...]) -> Template:
        return self._chance.choice(ways)

    def _often(self, share: float) -> bool:
        return self._chance.random() < share


def _named(error: GuestError | None) -> str:
    if error is None:
        return "an exception"
    message = _PLACE.sub("", error.message)
    line = f"{error.name}: {message}".split("\n")[0].replace("`", "'").strip()
    return line[:_SHORT_CHARS] if error.message else error.name


def _is_syntax(error: GuestError | None) -> bool:
    return error is not None and error.name in {"SyntaxError", "IndentationError", "TabError"}


def _fits(*texts: str) -> bool:
    """Return whether texts can be quoted in a sentence: short, whole, in one line."""
    return all(
        0 < len(text) <= _SHORT_CHARS and not set(text) & {"\n", "`"} and "... (" not in text
        for text in texts
    )


def _with_code(text: str, code: str) -> str:
    return f"{text}\n\n```python\n{code.rstrip()}\n```"


_GENERAL = frozenset({"nested", "while", "loop"})  # said where there is nothing else to say
_LOOPS = (ast.For, ast.While)
_SETS = frozenset({"set", "frozenset"})
_DICTS = frozenset({"dict", "defaultdict", "OrderedDict"})
_TABLES = frozenset({"dp", "f", "memo", "table"})


def approaches(code: str) -> tuple[str, ...]:
    """Return the sections of `texts/mutation.md` that are true of a solution; at least one."""
    tree = ast.parse(code)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    recursive = any(_calls_itself(node) for node in ast.walk(tree))
    cached = bool(names & {"cache", "lru_cache"}) and recursive
    loops = [node for node in ast.walk(tree) if isinstance(node, _LOOPS)]
    holds = {
        "heap": bool(names & {"heappush", "heappop", "heapify"}),
        "cached": cached,
        "recursion": recursive and not cached,
        "bisect": bool(names & {"bisect_left", "bisect_right", "bisect"}),
        "counter": "Counter" in names,
        "deque": "deque" in names and "popleft" in names,
        "sort": bool(names & {"sorted", "sort"}),
        "regex": "re" in names and _imports(tree, "re"),
        "table": _fills_table(tree),
        "set": bool(names & _SETS) or any(isinstance(n, ast.SetComp) for n in ast.walk(tree)),
        "dict": bool(names & _DICTS) or any(isinstance(n, ast.Dict) for n in ast.walk(tree)),
        "nested": any(_holds_loop(loop) for loop in loops),
        "while": len(loops) == 1 and isinstance(loops[0], ast.While),
        "loop": len(loops) == 1 and isinstance(loops[0], ast.For),
    }
    found = [name for name, true in holds.items() if true] or ["plain"]
    telling = [name for name in found if name not in _GENERAL] or found[:1]
    return tuple(f"approach_{name}" for name in telling)


def _calls_itself(node: ast.AST) -> bool:
    if not isinstance(node, ast.FunctionDef):
        return False
    called = (each.func for each in ast.walk(node) if isinstance(each, ast.Call))
    return any(
        (isinstance(each, ast.Name) and each.id == node.name)
        or (isinstance(each, ast.Attribute) and ast.unparse(each) == f"self.{node.name}")
        for each in called
    )


def _holds_loop(loop: ast.AST) -> bool:
    return any(isinstance(node, _LOOPS) for node in ast.walk(loop) if node is not loop)


def _fills_table(tree: ast.Module) -> bool:
    """Return whether items of a list are set from items of the same list, in a loop."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name))], value=value):
                used = {each.id for each in ast.walk(value) if isinstance(each, ast.Name)}
                if name in used and name in _TABLES:
                    return True
            case _:
                pass
    return False


def _imports(tree: ast.Module, module: str) -> bool:
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.Import))
    return any(each.name == module for node in imports for each in node.names)
