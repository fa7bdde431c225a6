import pytest
from fakes import ScriptedSession, failed, ok

from codeloop.core.dialogue import Cell, Dialogue, Feedback, Role, Source, Turn, plain_messages
from codeloop.core.execution import ExecutionResult, Output, Status
from codeloop.core.records import to_json
from codeloop.loop.critics import ExecutionCritic
from codeloop.loop.opening import ask
from codeloop.loop.prompts import render
from codeloop.loop.refine import refine, to_the_end
from codeloop.models.scripted import ScriptedModel
from codeloop.train.config import Mask
from codeloop.train.rendering import End, Kind, from_dialogue, from_row, plain, with_mask

CODE = "Look:\n```python\nprint(1)\n```"


def turn(reply: str, status: Status | None, *said: str) -> Turn:
    people = tuple(Feedback(Source.PERSON, text) for text in said)
    if status is None:
        return Turn(reply, feedback=people)
    cell = Cell("python", "print(1)", ExecutionResult(status, Output("out\n")))
    return Turn(reply, (cell,), (Feedback(Source.EXECUTION), *people))


def repaired() -> Dialogue:
    dialogue = Dialogue.ask("Do it.", system="Be brief.")
    turns = [
        turn(CODE, Status.ERROR),
        turn(CODE, Status.OK, "And now?"),
        turn(CODE, Status.OK),
        turn("Done.", None),
    ]
    for each in turns:
        dialogue = dialogue.with_turn(each)
    return dialogue


def test_a_row_is_what_an_endpoint_is_sent_to_the_character() -> None:
    dialogue = repaired()
    assert plain(from_dialogue(dialogue).messages) == plain_messages(render(dialogue))


def test_a_row_is_what_the_loop_has_sent_in_every_turn() -> None:
    model = ScriptedModel([CODE, CODE.replace("1", "2"), "Done."])
    session = ScriptedSession([failed("ValueError", "no"), ok("1\n")])
    critics = [ExecutionCritic(on_success=True)]
    done = to_the_end(refine(ask("Do it."), model, session, critics))
    messages = plain(from_dialogue(done.dialogue).messages)
    replies = [at for at, each in enumerate(messages) if each["role"] == "assistant"]
    assert len(model.calls) == len(replies) == 3
    for call, at in zip(model.calls, replies, strict=True):
        assert plain_messages(call.messages) == messages[:at]


def test_replies_are_told_apart_by_what_came_before_them() -> None:
    sample = from_dialogue(repaired())
    assert [each.kind for each in sample.replies] == [
        Kind.CODE,
        Kind.REPAIR,
        Kind.CODE,
        Kind.PROSE,
    ]
    assert [each.kind for each in sample.messages if each.role is not Role.ASSISTANT] == [0] * 5


@pytest.mark.parametrize(
    ("mask", "learned"),
    [
        (Mask.ALL, [True, True, True, True]),
        (Mask.MASK_FAILED, [False, True, True, True]),
        (Mask.LAST, [False, False, False, True]),
    ],
)
def test_a_mask_chooses_the_replies_that_are_learned(mask: Mask, learned: list[bool]) -> None:
    sample = with_mask(from_dialogue(repaired()), mask)
    assert [each.learned for each in sample.replies] == learned
    assert not any(each.learned for each in sample.messages if each.role is not Role.ASSISTANT)


def test_a_message_that_says_so_is_left_out_under_every_mask() -> None:
    messages = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": CODE, "failed": True},
        {"role": "execution", "content": "It failed."},
        {"role": "user", "content": "Try again."},
        {"role": "assistant", "content": CODE, "train": False},
    ]
    sample = from_row({"messages": messages}, "f:1")
    assert [each.role.value for each in sample.messages] == ["user", "assistant"] * 2
    assert sample.messages[2].content == "It failed.\n\nTry again."
    assert [each.kind for each in sample.replies] == [Kind.CODE, Kind.REPAIR]
    for mask in Mask:
        assert not with_mask(sample, mask).replies[-1].learned


def test_a_planted_bug_that_ended_well_counts_as_failed() -> None:
    row = {"dialogue": to_json(repaired()), "way": "mutation", "problem_id": "p/1"}
    sample = from_row(row, "f:1")
    assert sample.problem_id == "p/1"
    assert [each.end for each in sample.replies] == [
        End.FAILED,
        End.FAILED,  # ended well, and the code after it was wanted
        End.WELL,
        End.UNKNOWN,
    ]


def test_a_query_with_an_answer_is_one_turn() -> None:
    sample = from_row({"query": "Add.", "answer": CODE, "id": "7"}, "f:1")
    assert (sample.id, [each.kind for each in sample.replies]) == ("7", [Kind.CODE])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": "x"}, "no dialogue, no messages"),
        ({"messages": []}, "not empty"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "role is 'robot'"),
        ({"messages": [{"role": "user", "content": None}]}, r"messages\[0\]"),
        ({"dialogue": {"turns": []}}, "opening"),
    ],
)
def test_what_is_no_row_says_why(row: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        from_row(row, "f:1")
