from pathlib import Path

import pytest
from fakes import failed, ok

from codeloop.core.dialogue import Cell, Dialogue, Feedback, Skipped, Source, Turn
from codeloop.core.errors import DataError
from codeloop.core.execution import Display, ExecutionResult, Output, Status
from codeloop.loop.opening import ask
from codeloop.loop.prompts import feedback_text, render, sections, shrinking

EXECUTION = (Feedback(Source.EXECUTION),)


def said(result: ExecutionResult) -> str:
    return feedback_text(Turn("r", (Cell("python", "c", result),), EXECUTION))


def test_nobody_said_anything_so_nothing_is_said() -> None:
    assert feedback_text(Turn("r", (Cell("python", "c", ok("1")),))) == ""


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_words(status: Status) -> None:
    assert status.value in sections("execution")
    assert said(ExecutionResult(status, signal=9))


def test_a_signal_is_named() -> None:
    assert "signal 11" in said(ExecutionResult(Status.SIGNAL, signal=11))


def test_an_exit_code_without_an_exception_is_named() -> None:
    assert "exit code was 3" in said(ExecutionResult(Status.ERROR, exit_code=3))


def test_printing_nothing_is_said() -> None:
    assert "printed nothing" in said(ok())


def test_a_long_output_keeps_head_and_tail() -> None:
    text = said(ok("a" * 3000 + "z" * 3000))
    assert "[... 4000 characters left out ...]" in text
    assert "a" * 1000 in text
    assert "z" * 1000 in text


def test_an_output_with_fences_is_fenced_by_a_longer_one() -> None:
    assert "````text\n```\n````" in said(ok("```"))


def test_dollars_and_braces_in_output_are_kept() -> None:
    assert "$x ${y} {z} %s" in said(ok("$x ${y} {z} %s"))


def test_displays_and_both_streams_are_shown() -> None:
    result = ExecutionResult(
        Status.OK,
        stdout=Output("OUT"),
        stderr=Output("ERR"),
        displays=(Display((("text/plain", "SHOWN"),)),),
    )
    text = said(result)
    assert text.index("OUT") < text.index("SHOWN") < text.index("ERR")


def test_lost_variables_are_told() -> None:
    assert "variables are gone" in said(ExecutionResult(Status.WALL_LIMIT, state_lost=True))


def test_a_failure_asks_for_a_fix_and_a_success_for_an_answer() -> None:
    assert "corrected program" in said(failed("E"))
    assert "plain words" in said(ok("1"))


def test_what_was_skipped_for_good_reason_is_not_told() -> None:
    turn = Turn("r", (Cell("text", "x", skipped=Skipped.OUTPUT),), EXECUTION)
    assert "x" not in feedback_text(turn).split("\n")


def test_shrinking_never_touches_the_opening_or_the_newest_turn() -> None:
    dialogue = Dialogue.ask("q", system="s")
    for name in "ab":
        turn = Turn(name, (Cell("python", name, ok(f"out-{name}")),), EXECUTION)
        dialogue = dialogue.with_turn(turn)
    versions = list(shrinking(dialogue))
    assert versions[0] == render(dialogue)
    for messages in versions:
        assert [message.content for message in messages[:2]] == ["s", "q"]
        assert "out-b" in messages[-1].content
    assert "out-a" not in versions[1][3].content
    assert len(versions[-1]) == 4


def test_the_opening_shows_the_head_of_text_files(tmp_path: Path) -> None:
    table, binary = tmp_path / "a.csv", tmp_path / "b.bin"
    table.write_text("x,y\n1,é\n" + "2,3\n" * 1000, encoding="utf-8")
    binary.write_bytes(b"\xff\x00" * 500)
    query = ask("Sum it.", [table, binary]).opening[-1].content
    assert query.startswith("Sum it.")
    assert f"a.csv ({table.stat().st_size} bytes), which begins:\nx,y\n1,é\n" in query
    assert "b.bin (1000 bytes)" in query
    assert query.endswith("Write a Python program that reads them and prints the answer.")
    assert len(query) < 400


def test_the_opening_is_not_confused_by_a_character_that_the_cut_splits(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("x" * 599 + "é", encoding="utf-8")
    assert "begins" in ask("q", [file]).opening[-1].content


def test_a_file_that_cannot_be_read_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        ask("q", [tmp_path / "none"])
