"""Dialogues made of real Python sources, with all that replies and runs have: for tests."""

import random
from collections.abc import Iterator
from pathlib import Path

from codeloop.core.dialogue import Cell, Dialogue, Feedback, Source, Turn
from codeloop.core.execution import ExecutionResult, GuestError, Output, Status

WORDS = ("I mend this: `x`.", "Voilà — naïve 计算 🙂.", "  Indented, and a line\n\n\nfurther on.")


def sources(count: int, *, seed: int = 0, characters: int = 400) -> list[str]:
    """Return pieces of the standard library's sources."""
    draw = random.Random(seed)
    paths = sorted(Path(random.__file__).parent.glob("*.py"))
    pieces: list[str] = []
    while len(pieces) < count:
        text = draw.choice(paths).read_text(encoding="utf-8", errors="replace")
        if len(text) > characters and "```" not in text:
            start = draw.randrange(len(text) - characters)
            pieces.append(text[start : start + characters])
    return pieces


def dialogues(count: int, *, seed: int = 0, system: bool = True) -> Iterator[Dialogue]:
    """Yield dialogues in which code fails, is mended, and is spoken about."""
    draw = random.Random(seed)
    pieces = sources(3 * count, seed=seed)
    for at in range(count):
        own = pieces[3 * at : 3 * at + 3]
        said = "You run code." if system and draw.random() < 0.5 else ""
        dialogue = Dialogue.ask(f"{draw.choice(WORDS)}\n{own[0]}", system=said)
        for code in own[1:]:
            failed = draw.random() < 0.5
            dialogue = dialogue.with_turn(_turn(draw.choice(WORDS), code, failed=failed))
        yield dialogue.with_turn(Turn(draw.choice(WORDS)))


def _turn(words: str, code: str, *, failed: bool) -> Turn:
    if failed:
        text = f"Traceback (most recent call last):\nValueError: {code[:40]}\n"
        result = ExecutionResult(
            Status.ERROR, stderr=Output(text), error=GuestError("ValueError", code[:40])
        )
    else:
        result = ExecutionResult(Status.OK, Output(code[:80]))
    cell = Cell("python", code, result)
    return Turn(f"{words}\n```python\n{code}\n```", (cell,), (Feedback(Source.EXECUTION),))
