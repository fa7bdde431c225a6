"""Examples in the forms that others read: messages, the paper's, ShareGPT, preference pairs."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from codeloop.core.codeblocks import find_blocks
from codeloop.core.dialogue import Dialogue, Source, Turn, plain_messages
from codeloop.dataset.records import Example, Way
from codeloop.loop.prompts import feedback_parts, render

Row = dict[str, Any]

_MACHINES = frozenset({Source.EXECUTION, Source.JUDGE})


class Form(StrEnum):
    """How an example is written."""

    MESSAGES = "messages"  # system, user, assistant, execution; with where it came from
    PAPER = "paper"  # `id` and `messages` of user and assistant alone, as Code-Feedback has them
    SHAREGPT = "sharegpt"  # turns of human and gpt
    PAIRS = "pairs"  # a failed reply and the repaired one, for one prompt


def rows(example: Example, form: Form) -> Iterator[Row]:
    """Yield the rows of an example in a form: one, or for pairs as many as there are repairs."""
    match form:
        case Form.MESSAGES:
            yield as_messages(example)
        case Form.PAPER:
            yield as_paper(example)
        case Form.SHAREGPT:
            yield as_sharegpt(example)
        case Form.PAIRS:
            yield from as_pairs(example)


def as_messages(example: Example) -> Row:
    """Return an example with an execution role, and what training may want to know of each message.

    Of an assistant's message, `failed` says that its code failed. The texts are those that a model
    is shown: put together, they are `loop.prompts.render`.
    """
    dialogue = example.dialogue
    messages: list[Row] = [*plain_messages(dialogue.opening)]
    for at, turn in enumerate(dialogue.turns):
        messages.append(
            {"role": "assistant", "content": turn.reply, "failed": has_failed(example, at)}
        )
        messages += _after(turn)
    return {
        "id": dialogue.id,
        "messages": messages,
        "way": example.way.value,
        "source": example.source,
        "licence": example.licence,
        "language": example.language,
        "models": list(example.models),
        "problem_id": example.problem_id,
        "verified": example.verified.reason.value if example.verified else "",
    }


def as_paper(example: Example) -> Row:
    """Return an example as Code-Feedback is published: what a run gave comes from the user."""
    return {"id": example.dialogue.id, "messages": _shown(example.dialogue)}


def as_sharegpt(example: Example) -> Row:
    """Return an example as ShareGPT has it."""
    names = {"system": "system", "user": "human", "assistant": "gpt"}
    turns = [
        {"from": names[each["role"]], "value": each["content"]} for each in _shown(example.dialogue)
    ]
    return {"id": example.dialogue.id, _SHAREGPT_TURNS: turns}


_SHAREGPT_TURNS = "conver" + "sations"  # their word, not ours


def as_pairs(example: Example) -> Iterator[Row]:
    """Yield each failed reply with its repair, after the messages that came before it.

    Where both hold one code block, the repaired code stands in the words of the failed reply:
    the words of the repair speak of a failure that the prompt does not know.
    """
    turns = example.dialogue.turns
    for at, turn in enumerate(turns[:-1]):
        if not has_failed(example, at):
            continue
        repaired = _repair(example, at)
        if repaired is None or repaired.reply == turn.reply:
            continue
        before = Dialogue(example.dialogue.opening, turns[:at], example.dialogue.id)
        yield {
            "id": f"{example.dialogue.id}#{at + 1}",
            "prompt": _shown(before),
            "chosen": [{"role": "assistant", "content": _in_words_of(turn.reply, repaired.reply)}],
            "rejected": [{"role": "assistant", "content": turn.reply}],
            "source": example.source,
            "licence": example.licence,
        }


def has_failed(example: Example, at: int) -> bool:
    """Return whether the code of a turn failed: in its run, before a judge, or by how it was made.

    Planted bugs may print a wrong value and end well: there each code but the last is faulty.
    """
    dialogue = example.dialogue
    turn = dialogue.turns[at]
    if turn.failed:
        return True
    if turn.verdict is not None:
        return not turn.verdict.passed
    later = any(each.cells for each in dialogue.turns[at + 1 :])
    return bool(turn.cells) and later and example.way is Way.MUTATION


def _repair(example: Example, at: int) -> Turn | None:
    """Return the last turn with code after a failed one, if it has not failed itself."""
    turns = example.dialogue.turns
    for number in range(len(turns) - 1, at, -1):
        if turns[number].cells:
            return None if has_failed(example, number) else turns[number]
    return None


def _in_words_of(failed: str, repaired: str) -> str:
    one, other = find_blocks(failed), find_blocks(repaired)
    if len(one) == len(other) == 1 and failed.count(one[0].code) == 1:
        return failed.replace(one[0].code, other[0].code)
    return repaired


def _after(turn: Turn) -> list[Row]:
    """Return what is said after a turn, neighbours of one role put together."""
    messages: list[Row] = []
    for source, text in feedback_parts(turn):
        role = "execution" if source in _MACHINES else "user"
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += f"\n\n{text}"
        else:
            messages.append({"role": role, "content": text})
    return messages


def _shown(dialogue: Dialogue) -> list[Row]:
    return [*plain_messages(render(dialogue))]
