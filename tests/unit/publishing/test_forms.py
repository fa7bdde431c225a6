"""Published rows: the same words as a model is shown, whole files, a card that counts right."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.dialogue import Cell, Dialogue, Feedback, Source, Turn
from codeloop.core.execution import ExecutionResult, GuestError, Output, Status
from codeloop.core.problem import Reason, Verdict
from codeloop.dataset.records import Example, Verified, VerifiedReason, VerifiedStatus, Way
from codeloop.loop.prompts import feedback_parts, feedback_text, render
from codeloop.publishing.card import Reports, card, read_report
from codeloop.publishing.facts import count
from codeloop.publishing.folder import write_lines, write_parquet
from codeloop.publishing.forms import Form, as_messages, as_pairs, as_paper, as_sharegpt, rows
from codeloop.publishing.plots import write_plots
from codeloop.publishing.viewer import PAGE_ROWS, write_viewer

WRONG, RIGHT = "print(1 / 0)\n", "print(1)\n"
FAILED = ExecutionResult(Status.ERROR, error=GuestError("ZeroDivisionError", "division by zero"))
OK = ExecutionResult(Status.OK, Output("1\n", 2))


def turn(words: str, code: str, result: ExecutionResult, *said: Feedback) -> Turn:
    return Turn(f"{words}\n\n```python\n{code}```", (Cell("python", code, result),), said)


def example(name: str = "mutation/p/constant/1", *, kept: bool = True) -> Example:
    dialogue = Dialogue.ask("Write it. </script><b>é</b>", system="You run code.")
    first = turn("Here.", WRONG, FAILED, Feedback(Source.EXECUTION))
    second = turn("Mended.", RIGHT, OK, Feedback(Source.PERSON, "Shorter, please."))
    done = dialogue.with_turn(first).with_turn(second).with_turn(Turn("It is short."))
    status = VerifiedStatus.KEPT if kept else VerifiedStatus.DROPPED
    reason = VerifiedReason.CONFIRMED if kept else VerifiedReason.FLAKY
    return Example(
        Dialogue(done.opening, done.turns, name),
        Way.MUTATION,
        (),
        "MBPP train",
        "CC-BY-4.0",
        "python",
        (),
        ("k", "k"),
        "p",
        Verified(status, reason, 2),
    )


def test_messages_put_together_are_what_a_model_is_shown() -> None:
    given_ = example()
    messages = as_messages(given_)["messages"]
    merged: list[tuple[str, str]] = []
    for each in messages:
        role = "user" if each["role"] == "execution" else each["role"]
        if merged and merged[-1][0] == role == "user":
            merged[-1] = role, f"{merged[-1][1]}\n\n{each['content']}"
        else:
            merged.append((role, each["content"]))
    assert merged == [(each.role.value, each.content) for each in render(given_.dialogue)]


def test_what_a_run_gave_has_a_role_of_its_own_and_a_person_another() -> None:
    messages = as_messages(example())["messages"]
    roles = [each["role"] for each in messages]
    expected = ["system", "user", "assistant", "execution", "assistant", "execution", "user"]
    assert roles == [*expected, "assistant"]
    assert "ZeroDivisionError" not in messages[3]["content"]  # of a result without a traceback
    assert messages[6]["content"] == "Shorter, please."
    assert [each["failed"] for each in messages if each["role"] == "assistant"] == [
        True,
        False,
        False,
    ]


def test_the_paper_s_form_has_two_names_and_users_and_assistants_alone() -> None:
    row = as_paper(example())
    assert set(row) == {"id", "messages"}
    assert all(set(each) == {"role", "content"} for each in row["messages"])
    assert {each["role"] for each in row["messages"]} <= {"system", "user", "assistant"}


def test_sharegpt_says_the_same() -> None:
    row = as_sharegpt(example())
    (turns,) = (value for key, value in row.items() if key != "id")
    assert [each["value"] for each in turns] == [
        each.content for each in render(example().dialogue)
    ]
    assert {each["from"] for each in turns} == {"system", "human", "gpt"}


def test_a_pair_is_a_failed_reply_and_its_repair_in_the_same_words() -> None:
    (pair,) = as_pairs(example())
    assert [each["role"] for each in pair["prompt"]] == ["system", "user"]
    assert pair["rejected"][0]["content"] == f"Here.\n\n```python\n{WRONG}```"
    assert pair["chosen"][0]["content"] == f"Here.\n\n```python\n{RIGHT}```"


def test_a_verdict_makes_a_turn_fail() -> None:
    reply = f"Here.\n\n```python\n{WRONG}```"
    cell = (Cell("python", WRONG),)
    failed = Turn(reply, cell, (Feedback(Source.JUDGE),), verdict=Verdict(Reason.WRONG_ANSWER))
    mended = Turn(reply.replace(WRONG, RIGHT), (Cell("python", RIGHT),))
    mended = Turn(mended.reply, mended.cells, verdict=Verdict(Reason.PASSED))
    dialogue = Dialogue.ask("x").with_turn(failed).with_turn(mended)
    messages = as_messages(Example(dialogue, Way.MUTATION, (), "", "", "", ()))["messages"]
    assert [each["failed"] for each in messages if "failed" in each] == [True, False]


def test_code_that_a_person_wants_changed_has_not_failed() -> None:
    first = turn("Here.", RIGHT, OK, Feedback(Source.PERSON, "Print 2 as well."))
    second = turn("More.", f"{RIGHT}print(2)\n", OK)
    dialogue = Dialogue.ask("Write it.").with_turn(first).with_turn(second)
    given_ = Example(dialogue, Way.SIMULATION, (), "", "", "", ())
    assert not list(as_pairs(given_))
    assert not any(each.get("failed") for each in as_messages(given_)["messages"])


@given(st.lists(st.sampled_from(list(Source)), max_size=4), st.booleans())
def test_pieces_of_feedback_make_its_text(sources: list[Source], ran: bool) -> None:
    said = tuple(Feedback(source, "some words") for source in sources)
    given_ = Turn("x", (Cell("python", WRONG, FAILED),) if ran else (), said)
    pieces = feedback_parts(given_)
    assert "\n\n".join(text for _, text in pieces) == feedback_text(given_)


@pytest.mark.parametrize("form", list(Form))
def test_every_form_is_plain_json(form: Form, tmp_path: Path) -> None:
    made = list(rows(example(), form))
    assert write_lines(tmp_path / "rows.jsonl", made) == len(made) == 1
    lines = (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == made


@pytest.mark.parametrize("form", [Form.MESSAGES, Form.PAIRS])
def test_parquet_gives_the_rows_back(form: Form, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    made = list(rows(example(), form))
    write_parquet(tmp_path / "rows.parquet", made)
    back = parquet.read_table(tmp_path / "rows.parquet").to_pylist()
    assert [row["id"] for row in back] == [row["id"] for row in made]
    key = "messages" if form is Form.MESSAGES else "chosen"
    assert [each["content"] for each in back[0][key]] == [each["content"] for each in made[0][key]]


def test_a_card_counts_what_is_there() -> None:
    kept = [example(), example("mutation/p/index+guard/2")]
    facts = count(kept, [example("mutation/p/none/3", kept=False)])
    mutation = {"kinds": {"constant": {"tried": 3, "kept": 2, "failures": {"exception": 2}}}}
    text = card("Bugs", facts, kept[:1], Reports(mutation=mutation, cost={"calls": 0}))
    assert text.startswith('---\npretty_name: "Bugs"\nlicense: cc-by-4.0\n')
    assert "| mutation | 2 | 6 | 2 | 2 | 2 |" in text
    assert "2 of 3 dialogues hold (66.7 %)" in text
    assert "| ZeroDivisionError | 2 |" in text
    assert "| constant | 3 | 2 | 0 | 0 | 0 | exception 2 |" in text
    assert "| calls | 0 |" in text
    assert "mutation.md" in text
    assert "## Contamination" not in text


def test_a_card_says_what_leaked_in_words() -> None:
    leaks = {"by_level": {"whole": 2, "runs": 0}, "against": ["a", "b"]}
    many = {"by_problem": {f"p/{n}": 1 for n in range(20)}}
    text = card("Bugs", count([example()]), [], Reports(contamination=leaks | many))
    assert "| by_level | whole 2, runs 0 |" in text
    assert "| against | a, b |" in text
    assert "p/11 1, 8 more |" in text


def test_a_report_that_is_none_is_named() -> None:
    with pytest.raises(Exception, match=r"r\.json:2: not JSON"):
        read_report("{\n", "r.json")


def test_plots_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    stages = [{"stage": "dedup", "made": 7}, {"stage": "complexity", "made": 2, "past": 4}]
    stages[1]["seen"] = {"4 5": 17, "5": 1}
    funnel = {"stages": stages}
    facts = count([example()])
    one = write_plots(tmp_path / "one", facts, Reports(funnel=funnel))
    two = write_plots(tmp_path / "two", facts, Reports(funnel=funnel))
    names = ["funnel.svg", "turns.svg", "errors.svg", "faults.svg", "scores.svg"]
    assert [path.name for path in one] == names
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    assert ">6</text>" in one[0].read_text(encoding="utf-8")
    assert ">17</text>" in one[-1].read_text(encoding="utf-8")


def test_a_viewer_holds_every_row_in_pages_and_reaches_for_no_network(tmp_path: Path) -> None:
    total = PAGE_ROWS + 3
    made = [example(f"mutation/p/constant/{number}") for number in range(total)]
    assert write_viewer(tmp_path, "Bugs & <more>", made) == total
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "Bugs &amp; &lt;more&gt;" in page
    assert not re.findall(r"https?:|//[a-z]", page)
    held = []
    for number in range(2):
        script = (tmp_path / f"page-{number}.js").read_text(encoding="utf-8")
        assert "</" not in script
        found = re.fullmatch(rf"codeloopPage\({number}, (.*)\);\n", script, re.DOTALL)
        assert found
        held += json.loads(found[1])
    assert [row["id"] for row in held] == [each.dialogue.id for each in made]
