"""From dialogues to a model that chats: trained, killed, gone on with, exported, served."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.utils import _telemetry
from peft import PeftModel
from tiny import practice, tiny_folder
from trl.trainer import utils

from codeloop.cli import main
from codeloop.core import records
from codeloop.core.dialogue import Message, Role
from codeloop.core.errors import ConfigError, DataError
from codeloop.core.protocols import Reply, Sampling
from codeloop.loop.prompts import render
from codeloop.models import connect
from codeloop.train.config import read_config
from codeloop.train.loading import Origin, load_model, load_trained
from codeloop.train.rendering import Kind, from_dialogue
from codeloop.train.runs import RunFolder
from codeloop.train.templates import training_template
from codeloop.train.tokens import tokenised
from codeloop.train.tuning.amends import score_learned_alone
from codeloop.train.tuning.sft import load_base, sft

pytestmark = [
    pytest.mark.xdist_group("engine"),
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

ROWS = 40
ADAPTER = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.1, "target_modules": "all-linear"}
TRL = {
    "max_steps": 12,
    "learning_rate": 3e-3,
    "logging_steps": 1,
    "save_steps": 5,
    "bf16": False,
    "max_length": 1024,
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 1,
}
# started by itself: held-out problems are tried before the first step, and after the seventh
KILLED = """
import os, signal, sys
from pathlib import Path
from codeloop.train.config import read_config
from codeloop.train.loading import Origin
from codeloop.train.tuning.sft import sft
from codeloop.train.tuning.solving import Solved

def solve(folder):
    assert (folder / "serve.json").is_file()
    if (folder.parent / "checkpoints" / "checkpoint-5").is_dir():
        os.kill(os.getpid(), signal.SIGKILL)
    return Solved(1, 0, 0, (0.0, 1.0), (0.0, 1.0))

config = read_config(Path(sys.argv[1]))
sft(config, Origin("tiny", Path(config.model)), solve=solve, every=7)
"""


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model and dialogues to train it on."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("start")
    rows = practice(ROWS)
    records.append(folder / "rows.jsonl", rows)
    texts = [message.content for row in rows for message in render(row)]
    tiny_folder(folder / "tiny", texts)
    return folder


def configured(start: Path, folder: Path, **more: Any) -> Path:
    """Return the path of a config whose run is in the folder."""
    trl = TRL | more.pop("trl", {})
    path = folder / "train.yaml"
    values = {
        "model": str(start / "tiny"),
        "data": [{"path": str(start / "rows.jsonl")}],
        "output": str(folder / "run"),
        "cache": str(start / "cache"),
        "trl": trl,
        **more,
    }
    path.write_text(json.dumps(values), encoding="utf-8")  # JSON is YAML
    return path


def losses(run: Path) -> dict[int, tuple[float, ...]]:
    """Return all the losses of each step."""
    return {
        row["step"]: tuple(value for key, value in row.items() if key.startswith("loss"))
        for row in RunFolder(run).logged()
        if "loss" in row
    }


def train(path: Path) -> RunFolder:
    config = read_config(path)
    return sft(config, Origin("tiny", Path(config.model))).run


@pytest.mark.parametrize("peft", [None, ADAPTER], ids=["all weights", "adapter with dropout"])
def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(
    peft: dict[str, Any] | None, start: Path, tmp_path: Path
) -> None:
    (tmp_path / "whole").mkdir()
    whole = train(configured(start, tmp_path / "whole", peft=peft))
    path = configured(start, tmp_path, peft=peft)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    assert max(losses(tmp_path / "run")) == 6  # one after the checkpoint
    unfinished = tmp_path / "run" / "checkpoints" / "checkpoint-6"
    unfinished.mkdir()  # as if it had been killed while it wrote one
    (unfinished / "trainer_state.json").write_text('{"global_step"', encoding="utf-8")
    resumed = train(path)
    assert not unfinished.exists()
    assert len(losses(whole.path)) == 12
    assert losses(resumed.path) == losses(whole.path)


def test_a_run_tells_nobody_of_itself(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: SimpleQueue[Any] = SimpleQueue()
    monkeypatch.delenv("CI", raising=False)  # where TRL says nothing by itself
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)  # a run before forbade it
    monkeypatch.setattr(_telemetry, "_TELEMETRY_QUEUE", told)
    monkeypatch.setattr(_telemetry, "_start_telemetry_thread", lambda: None)  # it posts them
    train(configured(start, tmp_path, trl={"max_steps": 1}))
    assert told.empty()


def test_a_folder_with_another_run_is_left_alone(start: Path, tmp_path: Path) -> None:
    short = {"max_steps": 1}
    train(configured(start, tmp_path, trl=short))
    before = sorted(path for path in (tmp_path / "run").rglob("*"))
    with pytest.raises(ConfigError, match=r"holds another run .its adapter"):
        train(configured(start, tmp_path, trl=short, peft=ADAPTER))
    assert sorted(path for path in (tmp_path / "run").rglob("*")) == before


def test_losses_by_kind_are_those_of_the_tokens_of_each_kind(start: Path, tmp_path: Path) -> None:
    one = tmp_path / "one.jsonl"
    records.append(one, practice(1))
    path = configured(
        start,
        tmp_path,
        data=[{"path": str(one)}],
        trl={"max_steps": 1, "per_device_train_batch_size": 1, "learning_rate": 1e-9},
    )
    run = train(path)
    loaded = load_model(Origin("tiny", start / "tiny"))
    template = training_template(loaded.tokenizer)
    (row,) = tokenised(loaded.tokenizer, template, iter([from_dialogue(practice(1)[0])]))
    with torch.no_grad():
        logits = loaded.model(input_ids=torch.tensor([row.ids])).logits[0, :-1]
    each = torch.nn.functional.cross_entropy(logits, torch.tensor(row.ids[1:]), reduction="none")
    kinds = torch.tensor(row.kinds[1:])
    (logged,) = [row for row in run.logged() if "loss" in row]
    for kind in (Kind.CODE, Kind.REPAIR, Kind.PROSE):
        expected = each[kinds == kind].mean().item()
        assert logged[f"loss_{kind.name.lower()}"] == pytest.approx(expected, abs=1e-4)
    assert logged["loss"] == pytest.approx(each[kinds > 0].mean().item(), abs=1e-4)


def test_tokens_that_are_not_learned_are_not_scored_and_nothing_else_changes(
    start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(Origin("tiny", start / "tiny")).model
    utils.add_fused_lm_head(model)
    scored: list[int] = []
    kernel = utils._ChunkedLogProbFunction

    class Seen:
        @staticmethod
        def apply(hidden: Any, *rest: Any) -> Any:
            scored.append(len(hidden))
            return kernel.apply(hidden, *rest)

    monkeypatch.setattr(utils, "_ChunkedLogProbFunction", Seen)
    monkeypatch.setattr(utils, "_use_triton", lambda _: False)
    ids = torch.arange(3, 90)[None]
    labels = ids.clone()
    labels[:, :60] = -100

    def step() -> tuple[Any, Any]:
        log_probs = model(input_ids=ids, labels=labels, fused_lm_head=True).log_probs
        log_probs.sum().backward()
        gradients = [each.grad.clone() for each in model.parameters()]
        model.zero_grad()
        return log_probs.detach(), gradients

    of_all, gradients_of_all = step()
    score_learned_alone()
    of_learned, gradients_of_learned = step()
    assert scored == [86, 27]
    assert torch.allclose(of_learned, of_all, atol=1e-6)
    for one, other in zip(gradients_of_learned, gradients_of_all, strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    labels[:] = -100
    assert step()[0].sum() == 0


def test_packed_rows_are_trained_on_with_their_kinds(start: Path, tmp_path: Path) -> None:
    run = train(configured(start, tmp_path, trl={"max_steps": 2, "packing": True}))
    for values in losses(run.path).values():
        assert len(values) == 4  # of all, of code, of repair, of prose
        assert all(0 < value < 8 for value in values)


def test_how_the_model_is_loaded_can_be_said(start: Path, tmp_path: Path) -> None:
    given = {"max_steps": 1, "model_init_kwargs": {"attn_implementation": "eager"}}
    trained = sft(read_config(configured(start, tmp_path, trl=given)), Origin("t", start / "tiny"))
    assert trained.loaded.model.config._attn_implementation == "eager"
    given = {"max_steps": 1, "model_init_kwargs": {"attn_implementation": "none such"}}
    config = read_config(configured(start, tmp_path, trl=given))
    with pytest.raises(DataError, match="none such"):
        load_base(config, Origin("t", start / "tiny"))


def test_data_that_forbid_it_are_not_trained_on(start: Path, tmp_path: Path) -> None:
    path = configured(start, tmp_path, trl={"max_length": 8})
    with pytest.raises(DataError, match="nothing is learned"):
        train(path)
    assert not (tmp_path / "run" / "model").exists()


def test_from_dialogues_to_chat_in_one_command(
    start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = configured(start, tmp_path, trl={"max_steps": 60, "save_steps": 100})
    assert main(["train", "sft", str(path), "--export", "served", "--export", "merged"]) == 0
    run = tmp_path / "run"
    assert f"codeloop chat --model {run}" in capsys.readouterr().out
    course = losses(run)
    assert course[60][0] < 0.7 * course[1][0]
    template = (start / "tiny" / "chat_template.jinja").read_text(encoding="utf-8")
    for folder in ("model", "merged"):
        saved = (run / folder / "chat_template.jinja").read_text(encoding="utf-8")
        assert saved == template  # as it is served, without the marks of training
    card = (run / "README.md").read_text(encoding="utf-8")
    assert "all weights, on 40 rows" in card
    assert "| model-f16.gguf |" in card
    assert list((run / "tensorboard").iterdir())
    model = connect(str(run), context_tokens=512)
    try:
        asked = (Message(Role.USER, "Print twice the total, which is 3."),)
        *_, reply = model.stream(asked, Sampling(temperature=0.0, max_tokens=60))
    finally:
        model.close()
    assert isinstance(reply, Reply)
    assert "```python" in reply.text  # what it did before was noise


def test_an_adapter_is_exported_from_the_folder_of_its_run(start: Path, tmp_path: Path) -> None:
    train(configured(start, tmp_path, peft=ADAPTER, trl={"max_steps": 4, "learning_rate": 3e-2}))
    run = tmp_path / "run"
    with pytest.raises(ConfigError, match=r"codeloop train export"):
        connect(str(run))
    assert main(["train", "export", str(run), "--export", "f16", "--export", "merged"]) == 0
    assert (run / "model-f16.gguf").is_file()
    assert (run / "merged" / "model.safetensors").is_file()


def test_the_base_of_an_adapter_is_held_in_bf16_and_exported_as_it_was_trained(
    start: Path, tmp_path: Path
) -> None:
    given = {"max_steps": 4, "learning_rate": 3e-2, "bf16": True}
    config = read_config(configured(start, tmp_path, peft=ADAPTER, trl=given))
    origin = Origin("tiny", start / "tiny")
    assert load_base(config, origin).model.dtype is torch.bfloat16
    trained = sft(config, origin)
    course = losses(tmp_path / "run")
    assert course[4][0] < course[1][0]
    weights = dict(trained.loaded.model.named_parameters())
    assert {each.dtype for each in weights.values()} == {torch.float32}
    assert not all(
        torch.equal(each, each.bfloat16().float())
        for name, each in weights.items()
        if ".lora_" in name
    )
    assert main(["train", "export", str(tmp_path / "run"), "--export", "served"]) == 0
    again = load_trained(RunFolder(tmp_path / "run").facts(), tmp_path / "run" / "model").model
    for name, each in again.named_parameters():
        assert torch.equal(each, weights[name]), name


def test_an_adapter_is_trained_on_four_bits_and_exported_as_it_was_trained(
    start: Path, tmp_path: Path
) -> None:
    given = {**TRL, "packing": False, "gradient_checkpointing": True, "learning_rate": 3e-2}
    config = configured(start, tmp_path, preset="qlora", peft=ADAPTER, trl=given)
    trained = sft(read_config(config), Origin("tiny", start / "tiny"))
    run = tmp_path / "run"
    course = losses(run)
    assert course[12][0] < 0.95 * course[1][0]
    facts = RunFolder(run).facts()
    assert (facts.adapter, facts.four_bit) == (True, True)
    packed = load_model(Origin("tiny", start / "tiny"), four_bit=True).model
    assert packed.is_loaded_in_4bit
    # As it is trained: to evaluate, bitsandbytes rounds to bf16 on processors that multiply in it.
    adapted = PeftModel.from_pretrained(packed, str(run / "model")).train()
    for module in adapted.modules():
        if isinstance(module, torch.nn.Dropout):
            module.eval()
    again = load_trained(facts, run / "model").model.eval()
    unpacked = PeftModel.from_pretrained(
        load_model(Origin("tiny", start / "tiny")).model, str(run / "model")
    ).eval()
    ids = torch.arange(3, 90)[None]
    with torch.no_grad():
        said = adapted(input_ids=ids).logits
        off = [
            float((model(input_ids=ids).logits - said).abs().max())
            for model in (trained.loaded.model.eval(), again, unpacked)
        ]
    assert max(off[:2]) < 0.005
    assert off[2] > 0.05  # it has the base before it was packed
    assert main(["train", "export", str(run), "--export", "f16", "--export", "merged"]) == 0
    assert "quantization_config" not in (run / "merged" / "config.json").read_text("utf-8")


def test_a_gguf_file_is_not_packed_into_four_bits() -> None:
    with pytest.raises(ConfigError, match="take preset lora"):
        load_model(Origin("m", Path(__file__)), four_bit=True)
