# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "accelerate==1.15.0", "datasets==5.2.0", "gguf==0.19.0", "peft==0.21.2", "pyyaml>=6",
#   "tensorboard==2.21.0", "torch==2.13.0", "transformers==5.23.0", "trl==1.16.0",
# ]
# ///
"""What a step of fine-tuning costs: ours, bare TRL, and a loop written by hand, on the same rows.

    scripts/bench train ROWS.jsonl --model smollm2-135m --json out.json

Processor seconds of one thread for each step (median), variants by turns, each round on a new copy
of the model. All have the same rows, one a step, and the same AdamW; their losses are compared, so
that nobody does less. `bf16` is ours with autocast. The first step of each is not counted.
"""

import argparse
import copy
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer
from trl.trainer import utils

from codeloop.cli.train.starting import need_extra, origin_of
from codeloop.train.config import DataSettings, TrainConfig
from codeloop.train.loading import Loaded, load_model
from codeloop.train.rows import samples
from codeloop.train.runs import RunFolder
from codeloop.train.templates import training_template
from codeloop.train.tokens import tokenised
from codeloop.train.tuning.sft import arguments, trainer_of

TARGETS = {"ours / trl": 1.02, "ours / hand": 1.15}  # at most
BF16_TARGET = 1.3  # fp32 / bf16, at least
TRL = {
    "num_train_epochs": 1,
    "per_device_train_batch_size": 1,
    "gradient_accumulation_steps": 1,
    "learning_rate": 1e-5,
    "lr_scheduler_type": "constant",
    "warmup_steps": 0,
    "logging_steps": 1,
    "save_strategy": "no",
    "report_to": "none",
    "bf16": False,
    "activation_checkpointing": False,
    "max_grad_norm": 1.0,
    "weight_decay": 0.0,
    "train_sampling_strategy": "sequential",
}
THEIRS = utils._use_triton  # noqa: SLF001  our trainer replaces it: see train/tuning/amends.py
Steps = tuple[list[float], list[float]]  # processor seconds, losses


class Clock(TrainerCallback):  # type: ignore[misc]  # theirs has no types here
    """Notes the processor seconds of each step, and its loss."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.losses: list[float] = []
        self._start = 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._start = time.process_time()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.seconds.append(time.process_time() - self._start)

    def on_log(self, *_: Any, logs: dict[str, Any] | None = None, **__: Any) -> None:
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))


def ours(loaded: Loaded, rows: Dataset, config: TrainConfig) -> Steps:
    """Train with the trainer of a run."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = trainer_of(config, RunFolder(Path(folder)), loaded, rows, None)
        return timed(trainer)


def trl(loaded: Loaded, rows: Dataset, config: TrainConfig) -> Steps:
    """Train with TRL's own trainer on the same rows."""
    utils._use_triton = THEIRS  # noqa: SLF001
    with tempfile.TemporaryDirectory() as folder:
        given = {**config.trl, "dataset_kwargs": {"skip_prepare_dataset": True}}
        args = arguments(config, SFTConfig, RunFolder(Path(folder)), given)
        plain = rows.select_columns(["input_ids", "labels"])
        trainer = SFTTrainer(
            loaded.model, args, train_dataset=plain, processing_class=loaded.tokenizer
        )
        return timed(trainer)


def timed(trainer: Any) -> Steps:
    """Run a trainer; return what its steps took and lost."""
    clock = Clock()
    trainer.add_callback(clock)
    trainer.train()
    return clock.seconds, clock.losses


def hand(loaded: Loaded, rows: Dataset, config: TrainConfig) -> Steps:
    """Train by a loop of a few lines."""
    model = loaded.model.train()
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.trl["learning_rate"], weight_decay=0.0
    )
    seconds, losses = [], []
    for row in rows.to_list():
        start = time.process_time()
        ids = torch.tensor([row["input_ids"]])
        labels = torch.tensor([row["labels"]])
        logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.trl["max_grad_norm"])
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss))
        seconds.append(time.process_time() - start)
    return seconds, losses


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of all variants, by turns."""
    origin = origin_of(args.model, online=False)
    loaded = load_model(origin)
    data = DataSettings(str(args.rows.resolve()))
    plain = TrainConfig(args.model, (data,), trl=TRL | {"max_length": args.length})
    template = training_template(loaded.tokenizer)
    coded = tokenised(loaded.tokenizer, template, samples(plain, data))
    learned = (row for each in coded if (row := each.cut(args.length)).learned)
    rows = Dataset.from_list([next(learned).columns() for _ in range(args.steps + 1)])
    half = replace(plain, trl={**plain.trl, "bf16": True})
    variants: dict[str, tuple[Callable[[Loaded, Dataset, TrainConfig], Steps], TrainConfig]] = {
        "ours": (ours, plain),
        "trl": (trl, plain),
        "hand": (hand, plain),
        "bf16": (ours, half),
    }
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    losses: dict[str, list[float]] = {}
    for number in range(args.rounds):
        order = list(variants)[number % 4 :] + list(variants)[: number % 4]
        for name in order:
            run, config = variants[name]
            fresh = Loaded(origin, copy.deepcopy(loaded.model), loaded.tokenizer)
            taken, losses[name] = run(fresh, rows, config)
            seconds[name] += taken[1:]
            print(f"round {number + 1} {name}: {statistics.median(taken[1:]):.3f} CPU-s a step")
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    tokens = sum(len(each) for each in rows["input_ids"][1:]) / args.steps
    apart = max(abs(a - b) for a, b in zip(losses["ours"], losses["hand"], strict=True))
    return {
        "model": args.model,
        "tokens_per_step": tokens,
        "cpu_s_per_step": medians,
        "ours / trl": medians["ours"] / medians["trl"],
        "ours / hand": medians["ours"] / medians["hand"],
        "fp32 / bf16": medians["ours"] / medians["bf16"],
        "largest difference of losses": apart,
        "losses": losses,
    }


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path, help="JSON Lines to train on")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--steps", type=int, default=4, help="of each variant in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--length", type=int, default=256, help="tokens of a row at most")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    need_extra()
    torch.set_num_threads(1)
    found = measure(args)
    for name, target in TARGETS.items():
        print(f"{name}: {found[name]:.3f} (at most {target})")
    print(f"fp32 / bf16: {found['fp32 / bf16']:.2f} (at least {BF16_TARGET})")
    print(f"losses of ours and by hand differ by {found['largest difference of losses']:.1e}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
