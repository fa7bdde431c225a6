"""`codeloop judge` gives real models' samples the figures that evalplus gives them, but for one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DATA = os.environ.get("CODELOOP_DATA")
pytestmark = [
    pytest.mark.jail,
    pytest.mark.data,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not DATA, reason="CODELOOP_DATA names no folder with the data"),
]


def test_samples_of_gpt_4_and_gpt_3_5_pass_as_often_as_before(tmp_path: Path) -> None:
    found = {}
    for name in ("gpt4", "gpt3"):
        samples = Path(DATA or "") / "real_samples" / f"{name}_final_500c_long.jsonl.gz"
        done = subprocess.run(
            [sys.executable, "-m", "codeloop", "judge", "humaneval+", str(samples), "--json"],
            env={**os.environ, "CODELOOP_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        figures = json.loads(done.stdout)
        assert figures["samples"] == 164
        found[name] = figures["base"]["passed"], figures["plus"]["passed"]
    # evalplus gives 140 for the first: HumanEval/129 is right, but takes two seconds for a call
    assert found == {"gpt4": (141, 132), "gpt3": (114, 101)}
