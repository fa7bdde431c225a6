import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codeloop.cli.wiring import guest_packages
from codeloop.core.execution import ExecutionResult, Status
from codeloop.sandbox import SandboxSession, open_sandbox, prepare_fonts

pytestmark = pytest.mark.jail


@pytest.fixture(scope="module")
def science() -> Iterator[SandboxSession]:
    """A session whose code may import what `scripts/guest-packages` installs."""
    packages = guest_packages()
    assert packages is not None, "run scripts/guest-packages first"
    with open_sandbox(guest_packages=packages) as sandbox:
        yield sandbox.open_session(stateful=True)


def run(session: SandboxSession, code: str) -> ExecutionResult:
    *_, result = session.run(code)
    assert isinstance(result, ExecutionResult)
    return result


def shown(result: ExecutionResult) -> list[dict[str, str]]:
    assert result.status is Status.OK, result.stderr.text
    return [dict(display.parts) for display in result.displays]


def test_a_value_is_shown_in_every_form_that_it_has(kernel: SandboxSession) -> None:
    code = """
class Rich:
    def __repr__(self): return "plain"
    def _repr_html_(self): return "<b>rich</b>"
    def _repr_png_(self): return b"\\x89PNG"
    def _repr_svg_(self): return ("<svg/>", {"meta": 1})
    def _repr_latex_(self): return None
    def _repr_markdown_(self): raise ValueError
Rich()
"""
    assert shown(run(kernel, code)) == [
        {
            "text/plain": "plain",
            "text/html": "<b>rich</b>",
            "image/png": base64.b64encode(b"\x89PNG").decode(),
            "image/svg+xml": "<svg/>",
        }
    ]


@pytest.mark.parametrize("code", ["None", "x = 1", "class A:\n    _repr_html_ = 1", ""])
def test_what_has_nothing_to_show_shows_nothing(kernel: SandboxSession, code: str) -> None:
    assert shown(run(kernel, code)) == []


def test_a_class_is_shown_as_itself(kernel: SandboxSession) -> None:
    code = "class A:\n    def _repr_html_(self): return 'x'\nA"
    assert [list(parts) for parts in shown(run(kernel, code))] == [["text/plain"]]


def test_a_form_that_is_too_long_is_left_out(kernel: SandboxSession) -> None:
    code = "class A:\n    def _repr_html_(self): return 'x' * 9_000_000\nA()"
    assert [list(parts) for parts in shown(run(kernel, code))] == [["text/plain"]]


def test_figures_are_shown_without_being_asked_for_and_only_once(science: SandboxSession) -> None:
    code = "import matplotlib.pyplot as plt\nfor n in 1, 2:\n    plt.figure()\n    plt.plot([n, 2])"
    figures = shown(run(science, code))
    assert len(figures) == 2
    for figure in figures:
        assert figure["text/plain"].startswith("<Figure")
        assert base64.b64decode(figure["image/png"]).startswith(b"\x89PNG")
    assert shown(run(science, "x = 1")) == []


def test_show_is_no_reason_to_complain(science: SandboxSession) -> None:
    result = run(science, "import matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()")
    assert len(shown(result)) == 1
    assert result.stderr.text == ""


def test_a_table_is_shown_as_html_too(science: SandboxSession) -> None:
    (table,) = shown(run(science, "import pandas as pd\npd.DataFrame({'a': [1, 2]})"))
    assert table["text/plain"] == "   a\n0  1\n1  2"
    assert "<table" in table["text/html"]


def test_what_an_answer_has_no_room_for_is_left_out(kernel: SandboxSession) -> None:
    """Non-ASCII text takes six bytes a character on its way: the session died of it."""
    code = "class A:\n    def _repr_html_(self): return 'ä' * 1_900_000\nA()"
    assert [list(parts) for parts in shown(run(kernel, code))] == [["text/plain"]]


def test_many_large_figures_are_no_reason_to_die(science: SandboxSession) -> None:
    code = """
import matplotlib.pyplot as plt, numpy as np
plt.close("all")
for n in range(8):
    plt.figure(figsize=(6, 6)); plt.imshow(np.random.randint(0, 255, (600, 600, 3)))"""
    figures = shown(run(science, code))
    assert len(figures) == 8
    assert all("text/plain" in figure for figure in figures)
    assert "image/png" in figures[0]
    assert sum(len(form) for figure in figures for form in figure.values()) < 5_000_000


def test_a_small_figure_is_drawn_as_svg_too(science: SandboxSession) -> None:
    code = "import matplotlib.pyplot as plt\nx = range({})\nplt.plot(x)\n_ = plt.scatter(x, x)"
    (small,) = shown(run(science, code.format(100)))
    (large,) = shown(run(science, code.format(100_000)))
    assert small["image/svg+xml"].lstrip().startswith("<?xml")
    assert list(large) == ["text/plain", "image/png"]


def test_a_figure_tells_the_data_behind_it(science: SandboxSession) -> None:
    code = """
import datetime, matplotlib.pyplot as plt
_, (one, two, three) = plt.subplots(3)
one.plot([1, 2, float("nan")], [0.5, 1, 2], label="rise")
one.set(title="A", xlabel="t", ylabel="m")
two.bar(["a", "b"], [3, 4]); two.barh([7], [9])
three.scatter([1, 2], [3, 4]); _ = three.plot([datetime.date(2024, 1, 2)], [5])"""
    (figure,) = shown(run(science, code))
    one, two, three = json.loads(figure["application/vnd.codeloop.chart+json"])["charts"]
    assert (one["title"], one["x"], one["y"]) == ("A", "t", "m")
    assert one["series"] == [
        {"kind": "line", "label": "rise", "points": [[1, 0.5], [2, 1], [None, 2]]}
    ]
    assert [each["points"] for each in two["series"]] == [[["a", 3], ["b", 4]], [[7, 9]]]
    assert [each["kind"] for each in three["series"]] == ["line", "scatter"]
    assert three["series"][0]["points"] == [["2024-01-02", 5]]
    assert three["series"][1]["points"] == [[1, 3], [2, 4]]


def test_a_first_plot_finds_the_fonts_where_they_were_looked_up_once(
    science: SandboxSession, tmp_path: Path
) -> None:
    packages = guest_packages()
    assert packages is not None
    prepare_fonts(packages, tmp_path / "fonts")
    (found,) = (tmp_path / "fonts").iterdir()
    assert json.loads(found.read_text(encoding="utf-8"))["ttflist"]
    assert (packages / ".matplotlib" / found.name).is_file(), "run scripts/guest-packages"
    code = f"import os, matplotlib.pyplot; os.path.islink('/tmp/.matplotlib/{found.name}')"
    assert shown(run(science, code)) == [{"text/plain": "True"}]
    assert run(science, "open('/opt/packages/.matplotlib/x', 'w')").status is Status.ERROR


def table(session: SandboxSession, code: str) -> dict[str, Any]:
    """Return the table that code shows, as data."""
    (parts,) = shown(run(session, f"import numpy as np, pandas as pd\n{code}"))
    data: dict[str, Any] = json.loads(parts["application/vnd.dataresource+json"])
    return data


def test_a_table_is_shown_as_data_too(science: SandboxSession) -> None:
    code = """pd.DataFrame({
    "n": [1, 2], "x": [0.5, np.nan], "s": ["a", None], "ok": [True, False],
    "t": pd.to_datetime(["2026-01-02", None]), "o": [[1], {"k": np.inf}]})"""
    found = table(science, code)
    assert found["shape"] == [2, 6]
    assert [(field["name"], field["type"]) for field in found["schema"]["fields"]] == [
        ("index", "integer"),
        ("n", "integer"),
        ("x", "number"),
        ("s", "string"),
        ("ok", "boolean"),
        ("t", "datetime"),
        ("o", "any"),
    ]
    first = {"index": 0, "n": 1, "x": 0.5, "s": "a", "ok": True, "t": "2026-01-02T00:00:00"}
    assert found["data"] == [
        {**first, "o": "[1]"},
        {"index": 1, "n": 2, "x": None, "s": None, "ok": False, "t": None, "o": "{'k': inf}"},
    ]


@pytest.mark.parametrize(
    ("code", "shape", "names"),
    [
        ("pd.Series([1.5, np.inf], name='v')", [2, 1], ["index", "v"]),
        ("pd.DataFrame([[1, 2]], columns=['a', 'a'])", [1, 2], ["index", "a", "a.1"]),
        ("pd.DataFrame()", [0, 0], ["index"]),
        (
            "pd.DataFrame({'n': [1]}, pd.MultiIndex.from_tuples([('x', 1)], names=['p', None]))",
            [1, 1],
            ["p", "index", "n"],
        ),
        ("pd.DataFrame({('a', 'b'): [1]})", [1, 1], ["index", "('a', 'b')"]),
    ],
)
def test_a_table_of_any_form_has_a_name_for_each_column(
    code: str, shape: list[int], names: list[str], science: SandboxSession
) -> None:
    found = table(science, code)
    assert found["shape"] == shape
    assert [field["name"] for field in found["schema"]["fields"]] == names
    assert all(list(row) == names for row in found["data"])


def test_of_a_large_table_the_head_is_shown_with_the_shape_of_the_whole(
    science: SandboxSession,
) -> None:
    found = table(science, "pd.DataFrame(np.ones((100_000, 80)))")
    assert found["shape"] == [100_000, 80]
    assert (len(found["data"]), len(found["data"][0])) == (100, 51)


def test_duckdb_reads_the_files_of_the_session(science: SandboxSession) -> None:
    run(science, "open('t.csv', 'w').write('kind,n\\na,1\\nb,2\\na,3\\n')")
    query = "select kind, sum(n) as total from 't.csv' group by all order by kind"
    *_, made = science.run(f"create table sums as {query};\n{query};", language="duckdb")
    assert isinstance(made, ExecutionResult)
    assert made.stdout.text == (
        "| kind | total |\n| ---- | ----- |\n| a    | 4     |\n| b    | 2     |\n"
    ), made.stderr.text
    *_, kept = science.run("select count(*) as n from sums", language="duckdb")
    assert isinstance(kept, ExecutionResult)
    assert kept.stdout.text == "| n   |\n| --- |\n| 2   |\n"
    *_, failed = science.run("select 1;\n\nselect x from nowhere;", language="duckdb")
    assert isinstance(failed, ExecutionResult)
    assert failed.status is Status.ERROR
    assert failed.stderr.text.startswith("line 3: CatalogException: ")
