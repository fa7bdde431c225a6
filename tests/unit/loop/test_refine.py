from collections.abc import Callable, Sequence

import pytest
from fakes import ScriptedSession, failed, ok

from codeloop.core.dialogue import (
    Cell,
    Dialogue,
    Feedback,
    Finish,
    Role,
    Skipped,
    Source,
    Turn,
    Usage,
)
from codeloop.core.errors import ContextOverflowError, ModelError, SandboxError
from codeloop.core.events import (
    CodeStarted,
    DialogueDone,
    EndReason,
    Event,
    ExecutionDone,
    FeedbackGiven,
    TextDelta,
    TurnDone,
)
from codeloop.core.execution import ExecutionResult, OutputChunk, Status
from codeloop.core.protocols import Reply, Sampling
from codeloop.loop.critics import ExecutionCritic
from codeloop.loop.limits import Limits, repeats_itself
from codeloop.loop.prompts import shrinking
from codeloop.loop.refine import refine
from codeloop.models.scripted import ScriptedModel

WRONG = "```python\nprint(1/0)\n```"
RIGHT = "```python\nprint(1)\n```"
SHORT = Sampling(max_tokens=16)


def code(text: str) -> str:
    return f"Here:\n```python\n{text}\n```\n"


def run_loop(
    replies: Sequence[str | Reply | Exception],
    results: Sequence[ExecutionResult | Exception] = (),
    *,
    limits: Limits = Limits(),
    on_success: bool = False,
    dialogue: Dialogue | None = None,
    clock: Callable[[], float] = lambda: 0.0,
) -> tuple[list[Event], DialogueDone, ScriptedModel, ScriptedSession]:
    model, session = ScriptedModel(list(replies)), ScriptedSession(list(results))
    critics = [ExecutionCritic(on_success=on_success)]
    dialogue = dialogue or Dialogue.ask("q")
    events = list(refine(dialogue, model, session, critics, limits=limits, clock=clock))
    done = events[-1]
    assert isinstance(done, DialogueDone)
    return events, done, model, session


def test_a_failing_run_is_repaired_on_the_next_turn() -> None:
    events, done, model, session = run_loop(
        [WRONG, RIGHT], [failed("ZeroDivisionError", "division by zero"), ok("1\n")]
    )
    assert [type(event) for event in events] == [
        *(TextDelta, CodeStarted, ExecutionDone, FeedbackGiven, TurnDone),
        *(TextDelta, CodeStarted, OutputChunk, ExecutionDone, TurnDone, DialogueDone),
    ]
    assert done.reason is EndReason.ANSWERED
    assert done.ended_well
    assert session.codes == ["print(1/0)\n", "print(1)\n"]
    shown = model.calls[1].messages[-1]
    assert shown.role is Role.USER
    assert "ZeroDivisionError: division by zero" in shown.content


def test_a_reply_without_code_ends_the_loop() -> None:
    _, done, _, session = run_loop(["It is 4."])
    assert (done.reason, done.ended_well) == (EndReason.ANSWERED, True)
    assert session.codes == []


@pytest.mark.parametrize("reply", ["Yes", "42", "# Title", "None", "Hello", "print(1)"])
def test_prose_is_never_run(reply: str) -> None:
    _, done, _, session = run_loop([reply])
    assert session.codes == []
    assert done.reason is EndReason.ANSWERED


@pytest.mark.parametrize("reply", ["", "  \n"])
def test_an_empty_reply_ends_the_loop_and_says_so(reply: str) -> None:
    _, done, _, _ = run_loop([reply])
    assert (done.reason, done.ended_well) == (EndReason.EMPTY_REPLY, False)


def test_all_blocks_of_a_reply_run_in_order() -> None:
    _, done, _, session = run_loop([code("a = 1") + code("print(a)")], [ok(), ok("1\n")])
    assert session.codes == ["a = 1\n", "print(a)\n"]
    assert done.ended_well


def test_after_a_block_that_fails_the_rest_is_not_run_and_the_record_says_so() -> None:
    _, done, model, session = run_loop(
        [code("a = b") + code("print(a)"), "Sorry."], [failed("NameError", "b")]
    )
    first = done.dialogue.turns[0]
    assert session.codes == ["a = b\n"]
    assert first.cells[1].skipped is Skipped.EARLIER_FAILED
    assert "was not run" in model.calls[1].messages[-1].content


def test_giving_up_in_words_is_not_ending_well() -> None:
    _, done, _, _ = run_loop([WRONG, "I cannot."], [failed("E")])
    assert (done.reason, done.ended_well) == (EndReason.GAVE_UP, False)


def test_the_turn_limit_ends_the_loop_with_nothing_left_unrun() -> None:
    _, done, _, session = run_loop(
        [code("a"), code("b"), code("c")],
        [failed("A"), failed("B")],
        limits=Limits(turns=2),
    )
    assert (done.reason, done.ended_well) == (EndReason.TURN_LIMIT, False)
    assert len(session.codes) == len(done.dialogue.turns) == 2


def test_the_same_error_twice_in_a_row_ends_the_loop() -> None:
    _, done, _, _ = run_loop([code("a"), code("b")], [failed("E", "x"), failed("E", "x")])
    assert done.reason is EndReason.SAME_ERROR


def test_another_error_in_between_keeps_the_loop_going() -> None:
    results = [failed("E", "x"), failed("E", "y"), failed("E", "x"), ok()]
    _, done, _, _ = run_loop([code(name) for name in "abcd"], results)
    assert done.reason is EndReason.ANSWERED


def test_the_same_code_twice_in_a_row_is_not_run_again() -> None:
    _, done, _, session = run_loop([WRONG, WRONG], [failed("E")])
    assert (done.reason, done.ended_well) == (EndReason.SAME_CODE, False)
    assert len(session.codes) == 1
    assert done.dialogue.turns[1].cells[0].skipped is Skipped.REPEATED


def test_limits_on_repeats_can_be_lifted() -> None:
    limits = Limits(turns=3, same_error=None, same_code=None)
    _, done, _, session = run_loop([WRONG] * 3, [failed("E")] * 3, limits=limits)
    assert done.reason is EndReason.TURN_LIMIT
    assert len(session.codes) == 3


def test_the_token_limit_counts_prompts_and_replies() -> None:
    reply = Reply(WRONG, usage=Usage(60, 40))
    _, done, _, _ = run_loop([reply, RIGHT], [failed("E")], limits=Limits(tokens=100))
    assert done.reason is EndReason.TOKEN_LIMIT


def test_the_time_limit_cuts_a_reply_and_keeps_what_was_written() -> None:
    times = iter([0.0] * 3 + [20.0] * 50)
    model = ScriptedModel(["abcdef" * 10], piece_chars=6)
    done = list(
        refine(
            Dialogue.ask("q"),
            model,
            ScriptedSession([]),
            [ExecutionCritic()],
            limits=Limits(seconds=10),
            clock=lambda: next(times),
        )
    )[-1]
    assert isinstance(done, DialogueDone)
    assert done.reason is EndReason.TIME_LIMIT
    turn = done.dialogue.turns[0]
    assert turn.finish is Finish.CANCELLED
    assert turn.reply.startswith("abcdef")
    assert len(turn.reply) < 60


def test_a_reply_that_repeats_itself_is_cut_and_its_code_runs() -> None:
    head = "```python\nx = 1\n"
    model = ScriptedModel([head + "assert x == 2\n" * 500, RIGHT], piece_chars=9)
    session = ScriptedSession([failed("AssertionError"), ok()])
    done = list(refine(Dialogue.ask("q"), model, session, [ExecutionCritic()]))[-1]
    assert isinstance(done, DialogueDone)
    assert done.ended_well
    turn = done.dialogue.turns[0]
    assert turn.finish is Finish.REPEATING
    assert session.codes[0] == "x = 1\n" + "assert x == 2\n" * 12
    assert turn.usage.completion_tokens > 0


@pytest.mark.parametrize(
    ("text", "repeats"),
    [
        ("a\n" * 3, True),
        ("a\n\n" * 3, True),
        ("b\n" + "a\nb\nc\nd\n" * 3, True),
        ("a\n" * 2, False),
        ("a\nb\na\nb\n", False),
        ("a\n" * 3 + "b", False),
        ("\n" * 50, False),
        ("", False),
    ],
)
def test_only_the_same_lines_again_and_again_are_a_repetition(text: str, repeats: bool) -> None:
    assert repeats_itself(text, 3) is repeats
    assert not repeats_itself(text, None)


def test_a_run_gets_no_more_time_than_the_loop_has_left() -> None:
    _, _, model, session = run_loop([RIGHT], [ok()], limits=Limits(seconds=7.0))
    assert session.limits[0] is not None
    assert session.limits[0].wall_s == 7.0
    assert model.calls[0].timeout_s == 7.0


def test_an_interrupted_run_ends_the_loop() -> None:
    _, done, _, _ = run_loop([WRONG], [ExecutionResult(Status.INTERRUPTED)])
    assert (done.reason, done.ended_well) == (EndReason.INTERRUPTED, False)


def test_a_broken_sandbox_is_restarted_once_and_the_model_hears_nothing_of_it() -> None:
    _, done, model, session = run_loop([RIGHT], [SandboxError("gone"), ok("1\n")])
    assert done.ended_well
    assert session.restarts == 1
    assert len(model.calls) == 1


def test_a_sandbox_that_breaks_twice_is_an_error() -> None:
    with pytest.raises(SandboxError):
        run_loop([RIGHT], [SandboxError("gone"), SandboxError("gone")])


def test_a_model_that_fails_for_good_is_an_error() -> None:
    with pytest.raises(ModelError, match="down"):
        run_loop([ModelError("down")])


def test_a_reply_that_was_cut_inside_a_block_is_not_run() -> None:
    cut = Reply("```python\nfor i in range(10):\n    pri", Finish.LENGTH)
    _, done, model, session = run_loop([cut, RIGHT], [ok()])
    assert session.codes == ["print(1)\n"]
    assert done.dialogue.turns[0].cells[0].skipped is Skipped.CUT_OFF
    assert "in the middle of a code block" in model.calls[1].messages[-1].content


def test_a_whole_block_of_a_reply_that_was_cut_later_runs() -> None:
    _, _, _, session = run_loop([Reply(f"{RIGHT}\nAnd so", Finish.LENGTH)], [ok()])
    assert session.codes == ["print(1)\n"]


def test_on_success_shows_the_output_until_the_model_answers_in_words() -> None:
    _, done, model, _ = run_loop([RIGHT, "It is 1."], [ok("1\n")], on_success=True)
    assert done.ended_well
    assert "```text\n1\n```" in model.calls[1].messages[-1].content


def test_closing_the_loop_closes_the_run_in_progress() -> None:
    model, session = ScriptedModel([RIGHT]), ScriptedSession([ok("1\n")])
    events = refine(Dialogue.ask("q"), model, session, [])
    for event in events:
        if isinstance(event, OutputChunk):
            break
    events.close()
    assert session.closed_runs == 1


def test_every_reply_so_far_goes_to_the_model_in_order() -> None:
    _, _, model, _ = run_loop([code("a"), code("b"), RIGHT], [failed("A"), failed("B"), ok()])
    roles = [message.role.value for message in model.calls[2].messages]
    assert roles == ["user", "assistant", "user", "assistant", "user"]


def test_a_person_goes_on_after_a_run_and_the_model_sees_its_output() -> None:
    _, done, _, _ = run_loop([RIGHT], [ok("1\n")])
    dialogue = done.dialogue.with_feedback(Feedback(Source.PERSON, "And now 2?"))
    _, done, model, _ = run_loop([code("print(2)")], [ok("2\n")], dialogue=dialogue)
    last = model.calls[0].messages[-1].content
    assert "```text\n1\n```" in last
    assert last.endswith("And now 2?")
    assert len(done.dialogue.turns) == 2


def test_the_same_code_on_another_request_of_a_person_runs_again() -> None:
    _, done, _, _ = run_loop([RIGHT], [ok("1\n")])
    dialogue = done.dialogue.with_feedback(Feedback(Source.PERSON, "Again!"))
    _, done, _, session = run_loop([RIGHT], [ok("1\n")], dialogue=dialogue)
    assert len(session.codes) == 1
    assert done.reason is EndReason.ANSWERED


class TestContextOverflow:
    def long_dialogue(self) -> Dialogue:
        dialogue = Dialogue.ask("q")
        for name in "abc":
            turn = Turn(code(name), (Cell("python", name, ok(name * 1500)),))
            dialogue = dialogue.with_turn(turn.with_feedback(Feedback(Source.PERSON, "more")))
        return dialogue

    def ask(self, context_tokens: int | None, *replies: str | Exception) -> ScriptedModel:
        model = ScriptedModel(replies or ["done"], context_tokens=context_tokens)
        list(refine(self.long_dialogue(), model, ScriptedSession([]), [], sampling=SHORT))
        return model

    def test_the_oldest_output_goes_first_and_the_newest_never(self) -> None:
        full = ScriptedModel([]).count_tokens(self.ask(None).calls[0].messages)
        said = "\n".join(m.content for m in self.ask(full).calls[0].messages)
        assert "aaaa" not in said
        assert "bbbb" in said
        assert "cccc" in said

    def test_when_outputs_are_gone_the_oldest_turns_go(self) -> None:
        smallest = list(shrinking(self.long_dialogue()))[-1]
        room = ScriptedModel([]).count_tokens(smallest) + 16
        messages = self.ask(room).calls[0].messages
        said = "\n".join(m.content for m in messages)
        assert messages[0].content == "q"
        assert "aaaa" not in said
        assert "bbbb" not in said
        assert "cccc" in said

    def test_an_endpoint_that_refuses_is_asked_again_with_less(self) -> None:
        model = self.ask(None, ContextOverflowError("too long"), "done")
        sizes = [sum(len(m.content) for m in call.messages) for call in model.calls]
        assert sizes[1] < sizes[0]

    def test_a_request_that_never_fits_is_an_error(self) -> None:
        with pytest.raises(ContextOverflowError, match="too long"):
            self.ask(50)
