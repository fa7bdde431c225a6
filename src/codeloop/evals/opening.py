"""What a model is asked: a benchmark's problem in the words of `loop/texts/evaluation.md`."""

from codeloop.core.dialogue import Message, Role
from codeloop.core.problem import CheckTests, Problem, ProgramTests
from codeloop.evals.benchmarks import Benchmark
from codeloop.loop.prompts import sections

_STYLES = {
    "humaneval": "complete",
    "humaneval_plus": "complete",
    "humaneval_x": "complete_other",
    "mbxp": "complete_other",
    "fix": "fix",
    "cruxeval": "returns",
}


def opening(problem: Problem, benchmark: Benchmark) -> tuple[Message, ...]:
    """Return the first messages of a dialogue about a problem."""
    say = sections("evaluation")[_STYLES.get(benchmark.kind, "solve")]
    shown = [_text(tests) for tests in problem.visible]
    text = say.substitute(
        prompt=problem.prompt.strip(), language=problem.language, tests="\n".join(shown)
    )
    return (Message(Role.USER, text),)


def _text(tests: object) -> str:
    match tests:
        case CheckTests(source):
            return source
        case ProgramTests(after=after):
            return after.strip()
        case _:
            return ""
