"""What evalplus and Inspect make of our exports: `scripts/test-peers` has them installed."""

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from recorded import recorded, recorded_turn

from codeloop.evals.exports import Form, exported
from codeloop.evals.settings import FeedbackKind, Settings

PYTHON = os.environ.get("CODELOOP_PEERS")
pytestmark = [
    pytest.mark.skipif(PYTHON is None, reason="scripts/test-peers sets CODELOOP_PEERS"),
    pytest.mark.timeout(150),
]

RIGHT, WRONG = recorded_turn(passed=True), recorded_turn(passed=False)
HALF = recorded_turn(passed=False, base=True)
SETTINGS = Settings("humaneval+@0.1.10", "m", feedback=FeedbackKind.EXECUTION, turns=2)
ROWS = [
    recorded(f"HumanEval/{at}", [WRONG, RIGHT] if at < 82 else [HALF] if at < 123 else [WRONG])
    for at in range(164)
]
NAME = "2026-01-02T03-04-05+00-00_humaneval_m.json"  # its viewer takes logs that begin with a time
READ = """
import json, sys
from inspect_ai.log import read_eval_log
log = read_eval_log(sys.argv[1])
sample = log.samples[0]
print(json.dumps({
    "status": log.status,
    "samples": len(log.samples),
    "roles": [message.role for message in sample.messages],
    "texts": [message.text for message in sample.messages],
    "plus": sum(each.scores["plus"].value == "C" for each in log.samples),
    "accuracy": log.results.scores[1].metrics["accuracy"].value,
    "written": sample.model_usage["m"].output_tokens,
}))
"""
BUNDLE = """
import sys
from inspect_ai.log import bundle_log_dir
bundle_log_dir(sys.argv[1], sys.argv[2])
"""


def peer(*words: str | Path, folder: Path) -> str:
    """Return what a program of the peers' environment prints, without any network."""
    done = subprocess.run(
        [str(PYTHON), *map(str, words)],
        env=os.environ | {"HOME": str(folder), "HF_HUB_OFFLINE": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=140,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def written(form: Form, path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(exported(form, SETTINGS, ROWS, datetime.now(UTC), "1"))
    return path


def test_inspect_reads_the_log_with_all_messages_scores_and_usage(tmp_path: Path) -> None:
    path = written(Form.INSPECT, tmp_path / "log.json")
    read: dict[str, Any] = json.loads(peer("-c", READ, path, folder=tmp_path).splitlines()[-1])
    texts = read.pop("texts")
    assert texts[0] == "Write f for HumanEval/0."
    assert texts[2] == "Try again."
    assert read == {
        "status": "success",
        "samples": 164,
        "roles": ["user", "assistant", "user", "assistant"],
        "plus": 82,
        "accuracy": 0.5,
        "written": 20,
    }


def test_inspect_bundles_the_log_for_its_viewer(tmp_path: Path) -> None:
    path = written(Form.INSPECT, tmp_path / "logs" / NAME)
    peer("-c", BUNDLE, tmp_path / "logs", tmp_path / "site", folder=tmp_path)
    assert (tmp_path / "site" / "index.html").is_file()
    assert (tmp_path / "site" / "logs" / path.name).is_file()


def test_evalplus_prints_the_rates_of_the_results(tmp_path: Path) -> None:
    samples = written(Form.SAMPLES, tmp_path / "run.jsonl")
    written(Form.EVALPLUS, tmp_path / "run_eval_results.json")
    words = ("-m", "evalplus.evaluate", "--dataset", "humaneval", "--samples", samples)
    told = peer(*words, folder=tmp_path)
    assert "pass@1:\t0.750" in told
    assert "pass@1:\t0.500" in told
