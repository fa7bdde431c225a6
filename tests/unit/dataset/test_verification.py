"""Examples run again: what was not obtained is found; what chance made is not called made up."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import pytest
from fakes import ScriptedSession, failed, ok
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.dialogue import Cell, Dialogue, Feedback, Skipped, Source, Turn
from codeloop.core.execution import ExecutionLimits, ExecutionResult, GuestError, Status
from codeloop.core.problem import Problem, Reason, Verdict
from codeloop.core.protocols import Session
from codeloop.dataset.normal import normal_text
from codeloop.dataset.records import Example, VerifiedReason, VerifiedStatus, Way
from codeloop.dataset.verification import DOUBTS, Means, verify

CODE = "print(6 * 7)\n"
PASSED, WRONG = Verdict(Reason.PASSED), Verdict(Reason.WRONG_ANSWER, input="1", actual="2")


def example(*turns: Turn, way: Way = Way.SIMULATION, runs: int | None = None) -> Example:
    quoted = sum(len(turn.results) + (turn.verdict is not None) for turn in turns)
    keys = tuple(f"key {at}" for at in range(quoted if runs is None else runs))
    dialogue = Dialogue.ask("Write a program.")
    for turn in turns:
        dialogue = dialogue.with_turn(turn)
    return Example(dialogue, way, (), "here", "MIT", "python", (), runs=keys)


def turn(result: ExecutionResult, code: str = CODE) -> Turn:
    return Turn(f"```python\n{code}```", (Cell("python", code, result),))


def means(
    *results: ExecutionResult,
    verdict: Verdict = PASSED,
    problem: Problem | None = None,
) -> Means:
    """Return means whose sessions give these results one after the other, then the last."""
    left = list(results)

    @contextmanager
    def opened() -> Iterator[Session]:
        at = left.pop(0) if len(left) > 1 else left[0]
        yield ScriptedSession([at] * 4)

    def open_session() -> AbstractContextManager[Session]:
        return opened()

    return Means((open_session,), lambda *_: verdict, lambda _: problem)


def reason(given_: Example, by: Means) -> VerifiedReason:
    verified = verify(given_, by).verified
    assert verified is not None
    return verified.reason


def test_what_is_obtained_again_is_confirmed() -> None:
    done = verify(example(turn(ok("42\n"))), means(ok("42\n"))).verified
    assert done is not None
    assert (done.status, done.reason) == (VerifiedStatus.KEPT, VerifiedReason.CONFIRMED)
    assert done.runs == 2


@pytest.mark.parametrize("quoted", ["43\n", "", "42\n42\n", "The answer is 42\n"])
def test_an_output_that_was_not_obtained_is_found(quoted: str) -> None:
    assert reason(example(turn(ok(quoted))), means(ok("42\n"))) is VerifiedReason.OUTPUT_DIFFERS


def test_an_error_that_was_not_obtained_is_found() -> None:
    told = example(turn(failed("ValueError", "bad")), turn(ok("42\n")))
    assert reason(told, means(ok("42\n"))) is VerifiedReason.OUTPUT_DIFFERS


def test_runs_that_do_not_agree_are_flaky_and_not_called_made_up() -> None:
    told = example(turn(ok("1\n")))
    assert reason(told, means(ok("2\n"), ok("3\n"))) is VerifiedReason.FLAKY


def test_a_doubt_is_settled_by_more_runs() -> None:
    rare = [ok("2\n")] * (1 + DOUBTS)
    told = example(turn(ok("1\n")))
    assert reason(told, means(*rare, ok("3\n"))) is VerifiedReason.FLAKY
    assert reason(told, means(*rare, ok("2\n"))) is VerifiedReason.OUTPUT_DIFFERS


@pytest.mark.parametrize("source", ["random", "time", "uuid", "secrets", "id(x)", "datetime"])
def test_code_that_reads_chance_is_never_called_made_up(source: str) -> None:
    told = example(turn(ok("1\n"), f"import x  # {source}\nprint(x)\n"))
    assert reason(told, means(ok("2\n"))) is VerifiedReason.FLAKY


def test_the_same_items_in_another_order_are_chance() -> None:
    told = example(turn(ok("{'a', 'b'}\n"), "print(f())\n"))
    assert reason(told, means(ok("{'b', 'a'}\n"))) is VerifiedReason.FLAKY


def test_a_run_at_the_edge_of_its_time_is_flaky() -> None:
    told = example(turn(ok("1\n")))
    assert reason(told, means(ExecutionResult(Status.CPU_LIMIT))) is VerifiedReason.FLAKY


def test_whichever_limit_of_time_a_run_meets_it_does_not_end() -> None:
    told = example(turn(ExecutionResult(Status.WALL_LIMIT, signal=9)))
    late = ExecutionResult(Status.CPU_LIMIT, signal=24)
    assert reason(told, means(late)) is VerifiedReason.FINAL_FAILS


def test_the_limits_of_a_run_follow_the_way() -> None:
    asked: list[Way] = []

    def limits(way: Way) -> ExecutionLimits:
        asked.append(way)
        return ExecutionLimits()

    by = replace(means(ok("42\n")), limits=limits)
    verify(example(turn(ok("42\n")), way=Way.CORRECTION), by)
    assert set(asked) == {Way.CORRECTION}


def test_a_last_code_that_fails_is_dropped_though_it_is_quoted_truly() -> None:
    told = example(turn(failed("ValueError", "bad")))
    assert reason(told, means(failed("ValueError", "bad"))) is VerifiedReason.FINAL_FAILS


def test_a_last_code_that_fails_its_tests_is_dropped() -> None:
    problem = Problem("p", "", (), "f")
    told = replace(example(turn(ok("42\n"))), problem_id="p")
    by = means(ok("42\n"), verdict=WRONG, problem=problem)
    assert reason(told, by) is VerifiedReason.TESTS_FAIL


def test_a_verdict_that_was_not_reached_is_found() -> None:
    problem = Problem("p", "", (), "f")
    told = replace(example(replace(turn(ok()), cells=(Cell("python", CODE),), verdict=WRONG)))
    told = replace(told, problem_id="p")
    other = replace(WRONG, actual="3")
    assert reason(told, means(ok(), verdict=other, problem=problem)) is (
        VerifiedReason.OUTPUT_DIFFERS
    )
    assert reason(told, means(ok())) is VerifiedReason.NOT_RUNNABLE


def test_a_request_for_code_needs_code_in_what_follows_it() -> None:
    assert reason(example(Turn("I will."), way=Way.PACKING), means(ok())) is VerifiedReason.NO_CODE
    asked = replace(turn(ok("42\n")), feedback=(Feedback(Source.PERSON, "Write it shorter."),))
    told = example(asked, Turn("It cannot be shorter."))
    assert reason(told, means(ok("42\n"))) is VerifiedReason.NO_CODE


@pytest.mark.parametrize("language", ["python", "rust", ""])
def test_code_that_was_never_to_run_counts_where_code_is_asked_for(language: str) -> None:
    told = example(Turn(f"So:\n\n```{language}\nx\n```"), way=Way.PACKING)
    assert reason(told, means(ok())) is VerifiedReason.NOTHING_RAN
    shown = example(Turn("So:\n\n```text\n42\n```"), way=Way.PACKING)
    assert reason(shown, means(ok())) is VerifiedReason.NO_CODE


def test_words_after_the_last_code_are_fine() -> None:
    told = example(turn(ok("42\n")), Turn("It is 42."))
    assert reason(told, means(ok("42\n"))) is VerifiedReason.CONFIRMED


def test_a_run_without_a_key_is_dropped() -> None:
    told = example(turn(ok("42\n")), runs=0)
    assert reason(told, means(ok("42\n"))) is VerifiedReason.NO_RUN


def test_a_way_with_runs_that_quotes_none_is_dropped() -> None:
    told = example(Turn("```python\n1\n```", (Cell("python", "1\n"),)))
    assert reason(told, means(ok())) is VerifiedReason.NO_RUN


def test_an_output_block_that_no_run_printed_is_found() -> None:
    shown = Cell("output", "43\n", skipped=Skipped.OUTPUT)
    told = example(replace(turn(ok("42\n")), cells=(*turn(ok("42\n")).cells, shown)))
    assert reason(told, means(ok("42\n"))) is VerifiedReason.OUTPUT_DIFFERS
    true = replace(shown, code="42\n")
    told = example(replace(turn(ok("42\n")), cells=(*turn(ok("42\n")).cells, true)))
    assert reason(told, means(ok("42\n"))) is VerifiedReason.CONFIRMED


def test_a_language_without_runner_is_not_runnable() -> None:
    told = example(Turn("", (Cell("rust", "fn main() {}", ok()),)))
    assert reason(told, means(ok())) is VerifiedReason.NOT_RUNNABLE


def test_the_exception_counts_beside_what_is_printed() -> None:
    one = ExecutionResult(Status.ERROR, error=GuestError("KeyError", "'a'"))
    told = example(turn(one), turn(ok("1\n")))
    by = means(replace(one, error=GuestError("KeyError", "'b'")))
    assert reason(told, by) is VerifiedReason.OUTPUT_DIFFERS


@given(st.text(alphabet="0123456789 .x-:abcdef\n", max_size=80))
def test_numbers_of_code_without_a_clock_are_never_touched(text: str) -> None:
    if "0x" not in text:
        assert normal_text(text, "print(1)") == text


@given(st.text(max_size=80), st.sampled_from(["import time", "import uuid", "import tempfile", ""]))
def test_normalising_twice_changes_nothing_more(text: str, code: str) -> None:
    once = normal_text(text, code)
    assert normal_text(once, code) == once


@given(st.integers(1 << 24, (1 << 48) - 1), st.integers(1 << 24, (1 << 48) - 1))
def test_addresses_do_not_count(one: int, two: int) -> None:
    texts = [f"<A object at {address:#x}>" for address in (one, two)]
    assert normal_text(texts[0], "") == normal_text(texts[1], "")
