"""What a page holds before a browser reads it; what a browser makes of it: tests/integration."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import recorded, recorded_turn

from codeloop.core.errors import DataError
from codeloop.evals.reports.figures import summarise
from codeloop.evals.reports.page import run_page
from codeloop.evals.settings import Settings, Stop

BLOCK = re.compile(r'<script type="application/json" id="([\w-]+)">(.*?)</script>', re.DOTALL)
SETTINGS = Settings("mine@1", "m")
SURROGATES = st.text(st.characters(codec=None))


def blocks(page: str) -> dict[str, object]:
    return {name: json.loads(text) for name, text in BLOCK.findall(page)}


@given(SURROGATES, SURROGATES)
def test_any_text_of_a_model_comes_back_whole_and_ends_no_block(reply: str, code: str) -> None:
    row = recorded("a", [recorded_turn(passed=False, code=code)], replies=[reply])
    page = run_page(SETTINGS, summarise([row]), [row])
    page.encode()
    found = blocks(page)
    assert list(found) == ["data", "dialogue-0"]
    (turn,) = found["dialogue-0"]["turns"]  # type: ignore[index]
    assert (turn["reply"], turn["code"]) == (reply, code)
    assert page.count("<script") == 3


@pytest.mark.parametrize("text", ["</script><script>", "<!--title-->", "__policy__", "\u2028"])
def test_what_means_something_to_html_or_to_the_template_stays_text(text: str) -> None:
    row = recorded(text, [recorded_turn(passed=True)], replies=[text])
    page = run_page(Settings(f"{text}@1", text), summarise([row]), [row])
    assert page.count("<script") == 3
    assert blocks(page)["data"]["title"] == text  # type: ignore[index]


def test_a_record_from_before_a_field_was_added_still_has_its_page() -> None:
    turn = recorded_turn(passed=True)
    assert "why" not in turn
    assert "model_s" not in turn
    row = recorded("a", [turn])
    assert list(blocks(run_page(SETTINGS, summarise([row]), [row]))) == ["data", "dialogue-0"]


def test_a_page_does_not_tell_how_long_anything_took() -> None:
    pages = []
    for seconds in (1.0, 2.5):
        turn = recorded_turn(passed=True) | {"model_s": seconds, "cpu_s": seconds}
        row = recorded("a", [turn]) | {"model_s": seconds, "wall_s": seconds}
        pages.append(run_page(SETTINGS, summarise([row]), [row]))
    assert pages[0] == pages[1]


def test_a_record_that_holds_no_dialogue_is_named() -> None:
    row = recorded("a", [recorded_turn(passed=True)])
    with pytest.raises(DataError, match="the record of a holds no dialogue"):
        run_page(SETTINGS, summarise([row]), [row | {"dialogue": row["dialogue"] | {"id": 3}}])


@pytest.mark.parametrize(
    ("passed", "stop", "outcome"),
    [
        ([True], Stop.VISIBLE, "first"),
        ([False, True], Stop.VISIBLE, "later"),
        ([True, False], Stop.SELF, "lost"),
        ([True, False], Stop.ORACLE, "first"),
        ([False, False], Stop.SELF, "wrong"),
    ],
)
def test_an_outcome_is_that_of_the_turn_at_which_a_dialogue_stops(
    passed: list[bool], stop: Stop, outcome: str
) -> None:
    row = recorded("a", [recorded_turn(passed=each) for each in passed])
    page = run_page(Settings("mine@1", "m", stop=stop), summarise([row]), [row])
    assert blocks(page)["data"]["index"][0]["outcome"] == outcome  # type: ignore[index]
