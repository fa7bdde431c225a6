import json
import zipfile
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from fakes import failed, ok
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.codeblocks import CodeBlock, find_blocks, split_text
from codeloop.core.dialogue import Cell, Dialogue, Feedback, Skipped, Source, Turn, Usage
from codeloop.core.errors import DataError
from codeloop.core.execution import Display, ExecutionResult, GuestError, Output, Status
from codeloop.publishing.notebooks.forms import NotebookForm, exported, imported

TRACE = 'Traceback (most recent call last):\n  File "<cell 1>", line 1\nNameError: no x\n'
PICTURE = Display((("text/plain", "<Figure>"), ("image/png", "aGk=")))
BROKEN = ExecutionResult(
    Status.ERROR,
    stderr=Output(f"a warning\n{TRACE}", 99, truncated=True),
    error=GuestError("NameError", "no x", 1),
)
DIALOGUE = Dialogue.ask("Compute <x>", system="Be brief.")
DIALOGUE = DIALOGUE.with_turn(
    Turn(
        "First:\n\n```py\nprint(x)\n```\n\nThen:\n\n```sql\nselect 1\n```\n",
        (
            Cell("python", "print(x)\n", BROKEN),
            Cell("sql", "select 1\n", skipped=Skipped.EARLIER_FAILED),
        ),
        (
            Feedback(Source.EXECUTION),
            Feedback(Source.PERSON, "Define x."),
            Feedback(Source.CRITIC, "No."),
        ),
        Usage(3, 4),
        model="m",
    )
).with_turn(
    Turn(
        "```python\nx = 1\nx\n```\n~~~bash\nls\n~~~\nDone, ![x](http://x.example/x.png) <script>",
        (
            Cell("python", "x = 1\nx\n", replace(ok("1\n"), displays=(PICTURE,))),
            Cell("bash", "ls\n", ok("a.txt\n")),
        ),
    )
)


def notebook(dialogue: Dialogue = DIALOGUE) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(exported(dialogue, NotebookForm.IPYNB))
    return whole


def back(whole: dict[str, Any]) -> Dialogue:
    (dialogue,) = imported(json.dumps(whole).encode(), name="n.ipynb")
    return dialogue


def test_a_notebook_of_ours_comes_back_as_the_dialogue_it_was() -> None:
    assert back(notebook()) == DIALOGUE


def test_failed_cells_are_marked_so_that_a_run_of_the_notebook_goes_on() -> None:
    stopped = replace(BROKEN, status=Status.WALL_LIMIT, error=None)
    turn = Turn("```python\na\n```", (Cell("python", "a\n", stopped),))
    cells = notebook(DIALOGUE.with_turn(turn))["cells"]
    tags = [each["metadata"].get("tags") for each in cells if each["cell_type"] == "code"]
    assert tags == [["raises-exception"], None, None, ["skip-execution"]]


def test_each_output_is_what_jupyter_would_show() -> None:
    first = next(each for each in notebook()["cells"] if each["cell_type"] == "code")
    assert [each["output_type"] for each in first["outputs"]] == ["stream", "error"]
    assert first["outputs"][0]["text"] == "a warning\n"
    assert first["outputs"][1]["ename"] == "NameError"
    assert first["outputs"][1]["traceback"][0].startswith("Traceback")


def test_a_turn_whose_cells_were_deleted_is_gone() -> None:
    whole = notebook()
    whole["cells"] = [each for each in whole["cells"] if each["metadata"]["codeloop"]["turn"] != 0]
    assert back(whole).turns == DIALOGUE.turns[1:]


def test_code_that_was_edited_is_what_the_model_has_said() -> None:
    whole = notebook()
    cell = next(each for each in whole["cells"] if each["cell_type"] == "code")
    cell |= {"source": ["x = 2\n", "print(x)"], "outputs": [], "execution_count": 1}
    first = back(whole).turns[0]
    assert first.reply == (
        "First:\n\n```python\nx = 2\nprint(x)\n```\n\nThen:\n\n```sql\nselect 1\n```"
    )
    assert first.cells[0].result == ExecutionResult(Status.OK)
    assert first.feedback == DIALOGUE.turns[0].feedback


def test_a_run_in_jupyter_takes_the_place_of_the_results() -> None:
    whole = notebook()
    cell = next(each for each in whole["cells"] if each["cell_type"] == "code")
    cell["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": ["a\n", "b\n"]},
        {
            "output_type": "error",
            "ename": "TypeError",
            "evalue": "bad",
            "traceback": ["\x1b[31mTypeError\x1b[0m: bad"],
        },
    ]
    result = back(whole).turns[0].cells[0].result
    assert result is not None
    assert (result.status, result.stdout.text) == (Status.ERROR, "a\nb\n")
    assert result.stderr.text == "TypeError: bad"


def test_any_other_notebook_becomes_one_turn_after_a_request_that_names_it() -> None:
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "source": "# Title", "metadata": {}},
        {
            "cell_type": "code",
            "source": ["1 + 1"],
            "metadata": {},
            "execution_count": 1,
            "outputs": [
                {"output_type": "execute_result", "data": {"text/plain": ["2"]}, "metadata": {}}
            ],
        },
        {"cell_type": "code", "source": "%%bash\nls", "metadata": {}, "outputs": []},
    ]
    dialogue = back({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 2})
    (message,), (turn,) = dialogue.opening, dialogue.turns
    assert "n.ipynb" in message.content
    assert turn.reply == "# Title\n\n```python\n1 + 1\n```\n\n```bash\nls\n```"
    shown = ExecutionResult(Status.OK, displays=(Display((("text/plain", "2"),)),))
    assert turn.cells == (Cell("python", "1 + 1\n", shown), Cell("bash", "ls\n"))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"cells": [], "nbformat": 3}', "n:? not a notebook: not a notebook of format 4"),
        (b'{"cells": [{}], "nbformat": 4}', "n: not a notebook: cell 1 has no source"),
        (b'{"messages": []}', "n:1: not a dialogue: it does not begin with a request"),
        (b'\n{"schema": 9}\n{"schema": 1}', "n:2: not a dialogue: schema version 9"),
        (b"\xff", "n:1: not a dialogue"),
        (b"[" * 9999, "n:1: not a dialogue: nested too deep"),
        (b"  \n", "n: holds no dialogue"),
    ],
)
def test_what_is_no_dialogue_gets_one_line_that_says_where(data: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        imported(data, name="n")


def test_code_feedback_comes_in_and_goes_out() -> None:
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "```python\n1\n```"},
    ]
    line = json.dumps({"id": "7", "messages": messages}).encode()
    (dialogue,) = imported(line, name="c.jsonl")
    out = json.loads(exported(dialogue, NotebookForm.CODE_FEEDBACK))
    assert out["messages"] == messages
    code = [each for each in notebook(dialogue)["cells"] if each["cell_type"] == "code"]
    assert [each["source"] for each in code] == ["1\n"]


def test_a_dialogue_of_texts_alone_comes_back_without_cells_that_it_never_had() -> None:
    dialogue = Dialogue.ask("q").with_turn(Turn("```python\n1\n```"))
    whole = notebook(dialogue)
    assert back(whole) == dialogue
    whole["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1\n"}]
    assert [cell.result for cell in back(whole).turns[0].cells] == [ok("1\n")]


def test_records_come_back_as_they_were() -> None:
    lines = exported(DIALOGUE, NotebookForm.RECORD) * 2
    assert imported(lines, name="d.jsonl") == (DIALOGUE, DIALOGUE)


def test_a_script_runs_what_ran_well_and_holds_the_rest_as_comment() -> None:
    text = exported(DIALOGUE, NotebookForm.SCRIPT).decode()
    names: dict[str, object] = {}
    exec(text, names)
    assert names["x"] == 1
    assert "# error: NameError:\n# ```python\n# print(x)\n# ```" in text


def test_a_script_keeps_magics_as_comments_and_continued_lines_as_code() -> None:
    reply = '```python\n%pip install x\na = 1\n```\n```python\nb = ("%d"\n  % 2)\n```\n'
    text = exported(Dialogue.ask("q").with_turn(Turn(reply)), NotebookForm.SCRIPT).decode()
    names: dict[str, object] = {}
    exec(text, names)
    assert (names["a"], names["b"]) == (1, "2")


def test_markdown_holds_pictures_and_how_runs_ended() -> None:
    text = exported(DIALOGUE, NotebookForm.MARKDOWN).decode()
    assert "![picture](data:image/png;base64,aGk=)" in text
    assert "```output error\na warning\nTraceback" in text
    assert text.index("## Request") < text.index("## Reply 1") < text.index("## Person")


def test_a_page_asks_no_server_and_runs_nothing() -> None:
    table = '{"schema": {"fields": [{"name": "<b>"}]}, "data": [{"<b>": "<script>"}]}'
    shown = (
        Display((("text/html", "<script>alert(1)</script>"), ("text/plain", "plain"))),
        Display((("application/vnd.dataresource+json", table),)),
        Display((("image/svg+xml", "<svg onload='alert(1)'/>"),)),
    )
    turn = Turn("```python\n1\n```", (Cell("python", "1\n", replace(ok(), displays=shown)),))
    page = exported(DIALOGUE.with_turn(turn), NotebookForm.PAGE).decode()
    assert "<script" not in page
    assert "onload" not in page
    assert 'src="http' not in page
    assert "<th>&lt;b&gt;</th>" in page
    assert "default-src 'none'" in page
    assert "<title>Compute &lt;x&gt;</title>" in page


def test_an_archive_holds_every_form_and_the_files_and_is_the_same_every_time() -> None:
    files = {"data/a.csv": b"a,b\n"}
    data = exported(DIALOGUE, NotebookForm.ARCHIVE, files=files)
    assert data == exported(DIALOGUE, NotebookForm.ARCHIVE, files=files)
    with zipfile.ZipFile(BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.read("files/data/a.csv") == b"a,b\n"
        assert {f"dialogue.{end}" for end in ("ipynb", "py", "md", "html", "jsonl")} < set(
            archive.namelist()
        )


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
lines = st.lists(st.sampled_from(["", "```python", "```", "x = 1", "> ```", "- ~~~", "text"]))


@given(lines.map("\n".join))
def test_a_text_splits_into_its_blocks_and_nothing_else_of_it_is_lost(text: str) -> None:
    pieces = split_text(text)
    assert tuple(each for each in pieces if isinstance(each, CodeBlock)) == find_blocks(text)
    said = [line for each in pieces if isinstance(each, str) for line in each.split("\n")]
    assert set(said) <= {*text.split("\n")}


@given(lines.map("\n".join), texts, texts.filter(bool), texts)
def test_any_dialogue_comes_back_from_its_notebook(
    reply: str, asked: str, person: str, printed: str
) -> None:
    cells = tuple(
        Cell(block.language, block.code, ok(printed), None) for block in find_blocks(reply)
    )
    turn = Turn(reply, cells, (Feedback(Source.PERSON, person),))
    dialogue = Dialogue.ask(asked).with_turn(turn).with_turn(Turn(reply))
    again = back(notebook(dialogue))
    assert [each.reply for each in again.turns] == [reply, reply]
    assert again.turns[0].feedback == turn.feedback
    assert again.opening == dialogue.opening
    assert [each.code for each in again.turns[0].cells] == [each.code for each in cells]


def test_a_traceback_that_failed_without_one_still_tells_its_name() -> None:
    turn = Turn("```python\na\n```", (Cell("python", "a\n", failed("KeyError", "'a'")),))
    dialogue = Dialogue.ask("q").with_turn(turn)
    assert back(notebook(dialogue)) == dialogue
