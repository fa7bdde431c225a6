import pytest
from recorded import recorded, recorded_turn

from codeloop.evals.reports.figures import summarise
from codeloop.evals.reports.markdown import as_line, as_lines, markdown
from codeloop.evals.reports.published import own_rows, possible, published
from codeloop.evals.reports.tables import published_cells, published_table
from codeloop.evals.settings import FeedbackKind, Settings

PROBLEMS = {"humaneval": 164, "mbpp": 399}
ROWS = [recorded("a", [recorded_turn(passed=True)]), recorded("b", [recorded_turn(passed=False)])]


def test_the_published_table_has_its_62_rows() -> None:
    rows = published()
    assert len(rows) == 62
    by_name = {row.name: row for row in rows}
    assert by_name["OCI-DS 33B + exec"].humaneval == (82.9, 80.5)
    assert by_name["Phind-CL-v2 34B"].mbpp is None


@pytest.mark.parametrize("row", published(), ids=lambda row: row.name)
def test_what_no_count_of_problems_gives_is_marked_as_a_misprint(row) -> None:  # type: ignore[no-untyped-def]
    found = {
        f"{name}{plus}"
        for name, problems in PROBLEMS.items()
        for pair in [getattr(row, name)]
        if pair
        for plus, percent in zip(("", "+"), pair, strict=True)
        if not possible(percent, problems)
    }
    assert set(row.misprint) == found


@pytest.mark.parametrize("row", published(), ids=lambda row: row.name)
def test_an_average_is_that_of_its_two_figures(row) -> None:  # type: ignore[no-untyped-def]
    if row.average:
        for mean, *pair in zip(row.average, row.humaneval, row.mbpp, strict=True):
            assert mean == pytest.approx(sum(pair) / 2, abs=0.0501)


def test_runs_of_one_model_on_both_benchmarks_are_one_row() -> None:
    summary = summarise(ROWS)
    runs = [(Settings(name, "mine"), summary) for name in ("humaneval+@v0.1.10", "mbpp+@0.2.0")]
    (row,) = own_rows(runs)
    assert as_line(published_cells(row)) == "| mine | 50.0 (50.0) | 50.0 (50.0) | 50.0 (50.0) |"
    assert own_rows([(Settings("leetcode@1", "mine"), summary)]) == []


def test_a_row_says_how_feedback_was_given_and_stars_mark_misprints() -> None:
    settings = Settings("mbpp@1", "mine", feedback=FeedbackKind.EXECUTION, turns=3)
    page = "\n".join(as_lines(published_table([(settings, summarise(ROWS))])))
    assert "| mine (examples shown, 3 turns) + exec | - | 50.0 (50.0) | - |" in page
    assert "| GPT-4 Turbo + exec | 88.0* (84.2*) | 92.0 (78.2) | 90.0 (81.2) |" in page


def test_the_page_of_a_run_has_the_table_only_where_it_belongs() -> None:
    summary = summarise(ROWS)
    assert "OCI-DS 33B" in markdown(Settings("mbpp+@0.2.0", "m"), summary)
    assert "OCI-DS 33B" not in markdown(Settings("cruxeval@1", "m"), summary)
