"""Records of dialogues as a run writes them, from what a test says of each turn."""

from collections.abc import Sequence
from typing import Any

from codeloop.core import records
from codeloop.core.dialogue import Dialogue, Feedback, Message, Role, Source, Turn, Usage
from codeloop.evals.rows import Row

CODE = "def f(x):\n    return x\n"


def recorded_turn(*, passed: bool, **changes: Any) -> Row:
    """Return a turn's facts; `visible`, `tokens` and the rest can be changed."""
    facts = {
        "rule": "defines",
        "visible": passed,
        "visible_reason": "passed" if passed else "wrong_answer",
        "base": passed,
        "plus": passed,
        "reason": "passed" if passed else "wrong_answer",
        "forgeable": False,
        "same_code": False,
        "tokens": 10,
        "cpu_s": 0.01,
        "code": CODE,
    }
    return facts | changes


def recorded(
    problem: str, turns: Sequence[Row], *, sample: int = 0, replies: Sequence[str] = ()
) -> Row:
    """Return the record of a dialogue; each reply is a fence with the turn's code, if not given."""
    said = [*replies, *(f"```python\n{turn['code']}```" for turn in turns[len(replies) :])]
    last = len(turns) - 1
    dialogue = Dialogue(
        (Message(Role.USER, f"Write f for {problem}."),),
        tuple(
            Turn(
                reply,
                feedback=(Feedback(Source.CRITIC, "Try again."),) if at < last else (),
                usage=Usage(100, turn["tokens"]),
            )
            for at, (turn, reply) in enumerate(zip(turns, said, strict=True))
        ),
        id=f"{problem}#{sample}",
    )
    return {
        "problem": problem,
        "sample": sample,
        "reason": "answered",
        "turns": list(turns),
        "prompt_tokens": 100 * len(turns),
        "completion_tokens": sum(turn["tokens"] for turn in turns),
        "person_tokens": 0,
        "model_s": 1.5 * len(turns),
        "wall_s": 2.0,
        "leaks": [],
        "dialogue": records.to_json(dialogue),
    }
