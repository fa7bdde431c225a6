"""A row of training data as messages, each with what it is and whether a model learns it.

The texts are those of `loop.prompts.render`, which chat and evaluation send: here they only get
marks. What else is read (messages that others wrote) keeps its own words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Any

from codeloop.core.codeblocks import find_blocks
from codeloop.core.dialogue import Dialogue, Message, Role
from codeloop.core.records import from_json
from codeloop.loop.prompts import render
from codeloop.train.config import Mask


class Kind(IntEnum):
    """What a token belongs to; the loss is told apart by it. 0 is what is not learned."""

    NONE = 0
    CODE = 1  # a reply with code, before anything failed
    REPAIR = 2  # a reply with code after one that failed
    PROSE = 3  # a reply without code


class End(StrEnum):
    """What is known of how a reply's code ended."""

    UNKNOWN = "unknown"
    WELL = "well"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class TrainMessage:
    """A message of a row: `learned` says whether a model is to learn it; replies alone can be."""

    role: Role
    content: str
    learned: bool = False
    kind: Kind = Kind.NONE
    end: End = End.UNKNOWN


@dataclass(frozen=True, slots=True)
class Sample:
    """One row to train on."""

    id: str
    messages: tuple[TrainMessage, ...]
    problem_id: str = ""

    @property
    def replies(self) -> tuple[TrainMessage, ...]:
        return tuple(each for each in self.messages if each.role is Role.ASSISTANT)


def plain(messages: Iterable[TrainMessage]) -> list[dict[str, str]]:
    """Return messages as a chat template takes them, and as an endpoint is sent them."""
    return [{"role": each.role.value, "content": each.content} for each in messages]


def marked(messages: Iterable[TrainMessage]) -> list[dict[str, Any]]:
    """Return messages as a template that was made trainable takes them."""
    return [
        {"role": each.role.value, "content": each.content, "train": each.learned}
        for each in messages
    ]


def from_dialogue(dialogue: Dialogue, *, planted: bool = False, problem_id: str = "") -> Sample:
    """Return a dialogue as a row; with `planted`, each code but the last is known to be faulty."""
    ends = [_end(dialogue, at, planted=planted) for at in range(len(dialogue.turns))]
    coded = [bool(turn.cells) or _has_code(turn.reply) for turn in dialogue.turns]
    return Sample(dialogue.id, _told_apart(render(dialogue), ends, coded), problem_id)


def from_row(row: dict[str, Any], where: str) -> Sample:
    """Return the row of a JSON object: an example, a dialogue, messages, or query and answer.

    A message may have `train: false` (or `true`) to be left out of what is learned whatever the
    mask, and `failed` to say how its code ended. The role `execution` counts as the user's.

    Raises:
        ValueError: it is none of them; the text says why.
    """
    if "dialogue" in row:
        planted = row.get("way") == "mutation"
        dialogue = from_json(Dialogue, row["dialogue"])
        return from_dialogue(dialogue, planted=planted, problem_id=str(row.get("problem_id", "")))
    if "opening" in row:
        return from_dialogue(from_json(Dialogue, _without(row, "schema")))
    if "messages" in row:
        return _from_messages(row, where)
    if "query" in row and row.get("answer"):
        spoken = [
            Message(Role.USER, str(row["query"])),
            Message(Role.ASSISTANT, str(row["answer"])),
        ]
        coded = [_has_code(spoken[-1].content)]
        return Sample(str(row.get("id") or where), _told_apart(spoken, [End.UNKNOWN], coded))
    msg = "has no dialogue, no messages, and no query with an answer"
    raise ValueError(msg)


def with_mask(sample: Sample, mask: Mask) -> Sample:
    """Return a row with the replies marked that a model learns under a mask.

    What a row itself says not to learn stays so.
    """
    replies = [at for at, each in enumerate(sample.messages) if each.role is Role.ASSISTANT]
    match mask:
        case Mask.ALL:
            chosen = set(replies)
        case Mask.MASK_FAILED:
            chosen = {at for at in replies if sample.messages[at].end is not End.FAILED}
        case Mask.LAST:
            chosen = set(replies[-1:])
    messages = tuple(
        replace(each, learned=each.learned and at in chosen)
        for at, each in enumerate(sample.messages)
    )
    return replace(sample, messages=messages)


def _end(dialogue: Dialogue, at: int, *, planted: bool) -> End:
    turn = dialogue.turns[at]
    if turn.failed:
        return End.FAILED
    if turn.verdict is not None:
        return End.WELL if turn.verdict.passed else End.FAILED
    if planted and turn.cells and any(each.cells for each in dialogue.turns[at + 1 :]):
        return End.FAILED  # a planted bug may print a wrong value, and end well
    return End.WELL if turn.ran else End.UNKNOWN


def _told_apart(
    messages: Sequence[Message], ends: Sequence[End], coded: Sequence[bool]
) -> tuple[TrainMessage, ...]:
    """Return messages with their kinds; how the replies' code ended, and whether they have any.

    A reply with code mends if the code before it is known to have failed.
    """
    found, after_failure = [], False
    left = zip(ends, coded, strict=True)
    for each in messages:
        if each.role is not Role.ASSISTANT:
            found.append(TrainMessage(each.role, each.content))
            continue
        end, has_code = next(left)
        kind = Kind.PROSE
        if has_code:
            kind = Kind.REPAIR if after_failure else Kind.CODE
            after_failure = end is End.FAILED
        found.append(TrainMessage(each.role, each.content, learned=True, kind=kind, end=end))
    return tuple(found)


def _has_code(reply: str) -> bool:
    return ("```" in reply or "~~~" in reply) and bool(find_blocks(reply))


def _from_messages(row: dict[str, Any], where: str) -> Sample:
    entries = row["messages"]
    if not isinstance(entries, list) or not entries:
        msg = "messages should be a list that is not empty"
        raise ValueError(msg)
    messages: list[Message] = []
    ends: list[End] = []
    wanted: list[bool] = []
    for at, entry in enumerate(entries):
        message = _message(entry, f"messages[{at}]")
        if message.role is Role.ASSISTANT:
            ends.append(_END_OF[entry.get("failed")])
        if messages and messages[-1].role is message.role is Role.USER:  # a run, then a person
            joined = f"{messages.pop().content}\n\n{message.content}"
            messages.append(Message(Role.USER, joined))
            continue
        messages.append(message)
        wanted.append(entry.get("train") is not False)
    coded = [_has_code(each.content) for each in messages if each.role is Role.ASSISTANT]
    told = _told_apart(messages, ends, coded)
    kept = [
        replace(each, learned=each.learned and want)
        for each, want in zip(told, wanted, strict=True)
    ]
    return Sample(str(row.get("id") or where), tuple(kept), str(row.get("problem_id", "")))


_END_OF = {None: End.UNKNOWN, True: End.FAILED, False: End.WELL}


def _message(entry: Any, where: str) -> Message:
    if not isinstance(entry, dict) or not isinstance(entry.get("content"), str):
        msg = f"{where} should have a role and a text as its content"
        raise ValueError(msg)  # noqa: TRY004  the caller learns of one kind of error
    role = entry.get("role")
    names = [*Role, "execution", "tool"]
    if role not in names or entry.get("failed") not in _END_OF:
        msg = f"{where}: the role is {role!r}; known are {', '.join(names)}"
        raise ValueError(msg)
    return Message(Role(role) if role in list(Role) else Role.USER, entry["content"])


def _without(row: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != key}
