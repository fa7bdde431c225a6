"""What Jupyter makes of our notebooks: nbformat checks one, nbclient runs it, we read it back."""

import os
from pathlib import Path
from typing import Any

import pytest
from fakes import ok
from page_server import StartPage

from codeloop.core.dialogue import Cell, Dialogue, Feedback, Source, Turn
from codeloop.core.execution import ExecutionResult, GuestError, Output, Status
from codeloop.publishing.notebooks.forms import NotebookForm, exported, imported

PYTHON = os.environ.get("CODELOOP_PEERS")
pytestmark = [
    pytest.mark.skipif(PYTHON is None, reason="scripts/test-peers sets CODELOOP_PEERS"),
    pytest.mark.timeout(150),
]

RUN = """
import sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
nbformat.validate(notebook)
NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[1])
"""
TRACE = 'Traceback (most recent call last):\n  File "<cell 1>", line 1\nNameError: no total\n'
FAILED = ExecutionResult(
    Status.ERROR, stderr=Output(TRACE, len(TRACE)), error=GuestError("NameError", "no total", 1)
)
ENDLESS = ExecutionResult(Status.WALL_LIMIT, state_lost=False)
FIRST = Turn(
    "```python\nvalues = [1, 2, 3]\nprint(total)\n```",
    (Cell("python", "values = [1, 2, 3]\nprint(total)\n", FAILED),),
    (Feedback(Source.EXECUTION),),
)
SECOND = Turn(
    "```python\nwhile True: pass\n```\n\nOr rather:\n\n```python\nprint(sum(values))\n```",
    (
        Cell("python", "while True: pass\n", ENDLESS),
        Cell("python", "print(sum(values))\n", ok("6\n")),
    ),
)


def test_a_notebook_is_valid_and_runs_through_attempts_that_failed(
    peer: Any, tmp_path: Path
) -> None:
    dialogue = Dialogue.ask("Add them up").with_turn(FIRST).with_turn(SECOND)
    path = tmp_path / "n.ipynb"
    path.write_bytes(exported(dialogue, NotebookForm.IPYNB))
    peer("-c", RUN, path, JUPYTER_PLATFORM_DIRS="1")
    (again,) = imported(path.read_bytes(), name="n.ipynb")
    first, second, third = (
        cell.result for turn in again.turns for cell in turn.cells if cell.result is not None
    )
    assert (first.status, first.error and first.error.name) == (Status.ERROR, "NameError")
    assert second.status is Status.WALL_LIMIT
    assert third.stdout.text == "6\n"
    assert [turn.reply for turn in again.turns] == [FIRST.reply, SECOND.reply]


@pytest.mark.jail
def test_a_chat_of_the_server_is_exported_run_in_jupyter_and_imported_again(
    start: StartPage, peer: Any, tmp_path: Path
) -> None:
    replies = ["```python\nx = 6\nprint(y)\n```", "```python\ny = 7\nprint(x * y)\n```"]
    server = start(replies=replies)
    chat = server.client.new_chat()
    chat.say("Multiply")
    path = tmp_path / "chat.ipynb"
    path.write_bytes(chat.get("/export?format=ipynb").body)
    peer("-c", RUN, path, JUPYTER_PLATFORM_DIRS="1")
    (again,) = imported(path.read_bytes(), name="chat.ipynb")
    assert [turn.reply for turn in again.turns] == replies
    results = [cell.result for turn in again.turns for cell in turn.cells]
    assert [result and result.status for result in results] == [Status.ERROR, Status.OK]
    assert results[1] is not None
    assert results[1].stdout.text == "42\n"
    answer = server.client.ask("POST", "/api/import", path.read_bytes())
    assert answer.status in {200, 201}, answer.body
