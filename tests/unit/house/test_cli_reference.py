"""The page of commands says what the commands say."""

import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="needs argparse's words of 3.11 and 3.12")
def test_the_page_of_commands_is_up_to_date() -> None:
    program = "import cli_reference as c; print(c.page(), end='')"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=DOCS, capture_output=True, text=True, check=True
    )
    committed = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    assert done.stdout == committed, "run scripts/fix"
