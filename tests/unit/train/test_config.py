from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.errors import ConfigError
from codeloop.train.config import (
    Mask,
    Split,
    TrainConfig,
    passed_on,
    read_config,
    read_yaml,
    save_resolved,
)
from codeloop.train.presets import Preset, trl_defaults
from codeloop.train.rows import mixed, takes

WHOLE = """\
model: smollm2-135m
data:
  - single.jsonl
  - {path: multi.jsonl, weight: 0.5}
  - {path: held-out.jsonl, split: eval}
preset: lora
mask: mask_failed
trl: {learning_rate: 1e-4, max_length: 2048}
peft: {r: 8}
"""


def config(folder: Path, text: str) -> TrainConfig:
    path = folder / "train.yaml"
    path.write_text(text, encoding="utf-8")
    return read_config(path)


def test_a_config_says_more_than_its_preset_and_the_preset_the_rest(tmp_path: Path) -> None:
    read = config(tmp_path, WHOLE)
    assert read.mask is Mask.MASK_FAILED
    assert [each.path for each in read.of(Split.EVAL)] == ["held-out.jsonl"]
    assert read.max_length == 2048
    assert read.trl["lr_scheduler_type"] == trl_defaults(Preset.LORA)["lr_scheduler_type"]
    assert read.peft is not None
    assert (read.peft["r"], read.peft["target_modules"]) == (8, "all-linear")


def test_the_paper_s_preset_is_what_the_paper_says(tmp_path: Path) -> None:
    read = config(tmp_path, "{model: m, data: [a.jsonl], preset: paper}")
    said = {"num_train_epochs": 3, "learning_rate": 2e-5, "warmup_steps": 0.05, "max_length": 4096}
    assert said.items() <= read.trl.items()
    assert read.trl["lr_scheduler_type"] == "cosine"
    assert read.mask is Mask.ALL
    assert read.peft is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{model: m, data: [a], modell: x}", "no key 'modell'; nearest is 'model'"),
        ("{model: m, data: [{path: a, wieght: 2}]}", r"data\[0\] has no key 'wieght'.*'weight'"),
        ("{model: m, data: [a], preset: papers}", "'papers'; known are paper, lora"),
        ("{model: m, data: [a], mask: none}", "known are all, mask_failed, last"),
        ("{model: m, data: [{path: a, weight: 0}]}", "more than 0"),
        ("{model: m, data: [{path: a, parts: 2}, b]}", "parts to every file"),
        ("{model: m, data: [{path: a, split: eval}]}", "no file is for training"),
        ("{model: m, data: a}", "a list of files"),
        ("{model: m, trl: {}}", "'data' is missing"),
        ("{model: m, data: [a], trl: 3}", "trl: should be a mapping"),
        ("{model: m\ndata: [a", "train.yaml:2: not YAML"),
        ("[1]", "should be a mapping"),
    ],
)
def test_a_mistake_is_named_with_what_was_meant(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        config(tmp_path, text)


@dataclass
class TheirConfig:
    learning_rate: float = 0.0
    packing: bool = False
    report_to: str = ""


def test_a_key_that_the_trainer_does_not_know_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="trl has no key 'learnig_rate'; nearest is 'learning_"):
        passed_on({"learnig_rate": 1}, TheirConfig, "trl")


def test_a_power_that_yaml_takes_for_a_text_is_a_number() -> None:
    given = {"learning_rate": "2e-5", "report_to": "nan", "packing": True}
    assert passed_on(given, TheirConfig, "trl") == given | {"learning_rate": 2e-5}


def test_what_was_resolved_is_saved_and_read_again_to_the_same(tmp_path: Path) -> None:
    read = config(tmp_path, WHOLE)
    path = save_resolved(read, tmp_path / "run", data_hash="abc")
    again = read_config(path)
    assert (again.trl["learning_rate"], again.peft, again.mask) == (1e-4, read.peft, read.mask)
    assert [again.file(each.path) for each in again.data] == [
        (tmp_path / each.path).resolve() for each in read.data
    ]
    resolved = read_yaml(path)["resolved"]
    assert resolved["data_hash"] == "abc"
    assert resolved["versions"]["codeloop"]


def test_two_parts_to_one_leave_no_row_out(tmp_path: Path) -> None:
    text = "{model: m, data: [{path: a, parts: 2}, {path: b, parts: 1}]}"
    data = config(tmp_path, text).of(Split.TRAIN)
    often = takes(data, [110, 68])
    epoch = mixed([110, 68], often, seed=0)
    single = [row for file, row in epoch if file == 0]
    multi = [row for file, row in epoch if file == 1]
    assert len(single) == 2 * len(multi)
    assert set(single) == set(range(110))
    assert sorted(multi) == list(range(68))


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0.1, 4)), max_size=4), st.integers(0, 9))
def test_a_mix_takes_each_row_as_often_as_its_weight_says(
    files: list[tuple[int, float]], seed: int
) -> None:
    counts = [count for count, _ in files]
    often = [weight for _, weight in files]
    epoch = mixed(counts, often, seed=seed)
    assert epoch == mixed(counts, often, seed=seed)
    for file, (count, weight) in enumerate(files):
        rows = [row for each, row in epoch if each == file]
        assert len(rows) == round(count * weight)
        times = [rows.count(row) for row in range(count)]
        assert not times or max(times) - min(times) <= 1
