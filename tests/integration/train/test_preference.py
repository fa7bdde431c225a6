"""Pairs of a failed reply and the repaired one: what is preferred afterwards."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import practice, tiny_folder

from codeloop.core.errors import DataError
from codeloop.loop.prompts import render
from codeloop.train.config import read_config
from codeloop.train.loading import Origin
from codeloop.train.runs import Method
from codeloop.train.tuning.preference import prefer

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def pairs() -> list[dict[str, Any]]:
    rows = []
    for dialogue in practice(12):
        prompt, failed, _, repaired, *_ = render(dialogue)
        rows.append(
            {
                "prompt": [{"role": "user", "content": prompt.content}],
                "chosen": [{"role": "assistant", "content": repaired.content}],
                "rejected": [{"role": "assistant", "content": failed.content}],
            }
        )
    return rows


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("pairs")
    tiny_folder(folder / "tiny", [each.content for row in practice(12) for each in render(row)])
    lines = [json.dumps(row) for row in pairs()]
    (folder / "pairs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def configured(start: Path, folder: Path, data: str, **trl: Any) -> Path:
    path = folder / "train.yaml"
    values = {
        "model": str(start / "tiny"),
        "data": [data],
        "output": str(folder / "run"),
        "trl": {
            "max_steps": 12,
            "learning_rate": 3e-3,
            "logging_steps": 1,
            "bf16": False,
            "per_device_train_batch_size": 4,
            "gradient_accumulation_steps": 1,
            **trl,
        },
    }
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


@pytest.mark.parametrize("method", [Method.DPO, Method.KTO])
def test_repaired_replies_are_preferred_afterwards(
    method: Method, start: Path, tmp_path: Path
) -> None:
    path = configured(start, tmp_path, str(start / "pairs.jsonl"))
    config = read_config(path)
    trained = prefer(config, Origin("tiny", start / "tiny"), method)
    rows = [row for row in trained.run.logged() if "loss" in row]
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"]
    assert rows[-1]["rewards/chosen"] > rows[-1]["rewards/rejected"]
    assert (trained.run.model / "model.safetensors").is_file()


def test_a_line_that_is_no_pair_is_named(start: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(pairs()[0]) + '\n{"prompt": []}\n', encoding="utf-8")
    config = read_config(configured(start, tmp_path, str(path)))
    with pytest.raises(DataError, match=r"bad\.jsonl:2: not a pair"):
        prefer(config, Origin("tiny", start / "tiny"), Method.DPO)
