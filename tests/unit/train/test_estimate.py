import json
import math
from pathlib import Path

import pytest

from codeloop.core.errors import DataError
from codeloop.train.estimate import (
    ACCELERATORS,
    GPUS,
    Plan,
    Work,
    activation_bytes,
    flops,
    hours,
    memory_bytes,
    state_bytes,
    table,
)
from codeloop.train.shapes import Shape, shape_of, with_adapter

# Code-Feedback at an assumed 1,600 tokens a dialogue, three times.
WORK = Work(68_000 * 1600 * 3, 1600, 4096)
PEAK, MEMORY = ACCELERATORS["h100"]


def shape(parameters: float, layers: int, width: int, inner: int) -> Shape:
    return Shape(int(parameters), layers, width, inner, 32_000, int(parameters))


SHAPES = {
    "7b": shape(6.7e9, 32, 4096, 11008),
    "33b": shape(33.3e9, 62, 7168, 19200),
    "70b": shape(69e9, 80, 8192, 28672),
}


@pytest.mark.parametrize(
    ("name", "work", "on_8"), [("7b", 1.36e19, 1.2), ("33b", 6.7e19, 5.8), ("70b", 1.37e20, 12)]
)
def test_work_and_hours_are_those_of_the_published_formula(
    name: str, work: float, on_8: float
) -> None:
    assert flops(SHAPES[name], WORK) == pytest.approx(work, rel=0.04)
    taken = hours(SHAPES[name], WORK, 8, peak=PEAK, recomputed=False)
    assert taken == pytest.approx(on_8, rel=0.05)


def test_states_are_16_bytes_a_parameter_and_are_shared_out() -> None:
    big = SHAPES["70b"]
    assert state_bytes(big) == 16 * big.parameters
    on_8 = memory_bytes(big, WORK, Plan.SHARDED_RECOMPUTED, 8)
    on_64 = memory_bytes(big, WORK, Plan.SHARDED_RECOMPUTED, 64)
    assert on_8 - on_64 == pytest.approx(16 * big.parameters * (1 / 8 - 1 / 64))
    assert on_8 > MEMORY


@pytest.mark.parametrize(("name", "expected"), [("7b", 1.1e9), ("33b", 3.6e9), ("70b", 5.4e9)])
def test_checkpointed_activations_are_those_of_the_published_formula(
    name: str, expected: float
) -> None:
    kept = SHAPES[name]
    whole = activation_bytes(kept, WORK, recomputed=True)
    rest = 34 * kept.width * 4096 + 10 * kept.vocabulary * 4096
    assert whole - rest == pytest.approx(expected, rel=0.06)


def test_an_adapter_takes_less_of_everything() -> None:
    whole = SHAPES["7b"]
    adapter = with_adapter(whole, 16)
    assert 30e6 < adapter.trained < 50e6  # r 16 on every linear layer of 7B: about 40 M
    assert flops(adapter, WORK) == pytest.approx(flops(whole, WORK) * 2 / 3, rel=0.03)
    assert state_bytes(adapter) < state_bytes(whole) / 6
    assert state_bytes(adapter, four_bit=True) < state_bytes(adapter) / 2


@pytest.mark.parametrize("name", SHAPES)
def test_a_table_takes_the_simplest_plan_that_fits(name: str) -> None:
    rows = table(SHAPES[name], WORK, peak=PEAK, memory=MEMORY, price=2.0)
    assert [row.gpus for row in rows] == list(GPUS)
    fitting = [row for row in rows if row.plan is not Plan.NONE]
    assert all(row.memory_bytes <= MEMORY for row in fitting)
    assert [row.hours for row in fitting] == sorted((row.hours for row in fitting), reverse=True)
    assert all(row.cost == pytest.approx(2 * row.gpus * row.hours) for row in fitting)
    assert all(math.isnan(row.hours) for row in rows if row.plan is Plan.NONE)
    assert rows[-1].plan in {Plan.SHARDED, Plan.SHARDED_RECOMPUTED}


def test_a_small_model_fits_on_one_gpu_and_the_largest_not_on_eight() -> None:
    small = shape(135e6, 30, 576, 1536)
    assert table(small, WORK, peak=PEAK, memory=MEMORY)[0].plan is Plan.REPLICATED
    by_gpus = {row.gpus: row.plan for row in table(SHAPES["70b"], WORK, peak=PEAK, memory=MEMORY)}
    assert by_gpus[8] is Plan.NONE
    assert by_gpus[64] is not Plan.NONE


def test_sizes_are_read_from_a_folder_without_weights(tmp_path: Path) -> None:
    facts = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "vocab_size": 500,
        "tie_word_embeddings": True,
    }
    (tmp_path / "config.json").write_text(json.dumps(facts), encoding="utf-8")
    read = shape_of(tmp_path)
    layer = 4 * 64 * 64 + 3 * 64 * 128 + 2 * 64
    assert read == Shape(500 * 64 + 3 * layer + 64, 3, 64, 128, 500, read.parameters)
    adapter = shape_of(tmp_path, rank=4)
    assert adapter.trained == 3 * 4 * (4 * 2 * 64 + 3 * (64 + 128))


def test_what_holds_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no sizes of a model"):
        shape_of(tmp_path)
