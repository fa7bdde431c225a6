"""A notebook that was taken from the page, in Jupyter's own hands."""

import os
import subprocess
from pathlib import Path

import pytest
from browsing import OpenPage, export, say, until_rest
from chromium import CHROMIUM

PEERS = os.environ.get("CODELOOP_PEERS")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.jail,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
    pytest.mark.skipif(PEERS is None, reason="scripts/test-peers sets CODELOOP_PEERS"),
]
SUM = {"Add": "So:\n\n```python\nprint(20 + 22)\n```\n"}
RUN_NOTEBOOK = """
import sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
nbformat.validate(notebook)
NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
print([each.outputs[0].text for each in notebook.cells if each.cell_type == "code"][-1])
"""


def test_a_notebook_that_was_taken_away_runs_in_jupyter(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(SUM)
    say(page, "Add them")
    until_rest(page)
    export(page, "Notebook", tmp_path / "chat.ipynb")
    ran = subprocess.run(
        [str(PEERS), "-c", RUN_NOTEBOOK, str(tmp_path / "chat.ipynb")],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.stdout.strip() == "42", ran.stderr
