"""A few real steps on the machine at hand, in place of what an estimate would assume."""

import resource
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback

from codeloop.train.config import TrainConfig
from codeloop.train.loading import Loaded
from codeloop.train.runs import RunFolder
from codeloop.train.tuning.sft import trainer_of

STEPS = 5
_FIRST = 1  # step that is not counted: it allocates and warms up


@dataclass(frozen=True, slots=True)
class Probe:
    """What was measured: tokens of a step, its seconds (wall and processor), peak of memory."""

    tokens: float
    wall_s: float
    cpu_s: float
    memory_bytes: int
    device: str

    def hours(self, tokens: int) -> float:
        """Return how long so many tokens take here."""
        return tokens / self.tokens * self.wall_s / 3600

    def flops(self, per_token: float) -> float:
        """Return the floating-point operations a second, of so many a token."""
        return per_token * self.tokens / self.wall_s


class _Clock(TrainerCallback):
    """Notes when each step of the optimiser begins and ends."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._begun = time.perf_counter(), time.process_time()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.wall.append(time.perf_counter() - self._begun[0])
        self.cpu.append(time.process_time() - self._begun[1])


class _Counter:
    """Passes batches on, and notes how many tokens each has, padding left out."""

    def __init__(self, collate: Any) -> None:
        self._collate = collate
        self.tokens: list[int] = []

    def __call__(self, rows: Any) -> Any:
        batch = self._collate(rows)
        held = batch.get("attention_mask")
        self.tokens.append(int(batch["input_ids"].numel() if held is None else held.sum()))
        return batch


def probe(config: TrainConfig, loaded: Loaded, rows: Any, *, steps: int = STEPS) -> Probe:
    """Train for a few steps on an epoch of rows and return what a step took.

    The trainer is that of a run, with the config's settings. The model is changed; nothing is kept.

    Raises:
        ConfigError: the config says what TRL does not know.
    """
    short = {
        "max_steps": steps + _FIRST,
        "save_strategy": "no",
        "report_to": "none",
        "logging_strategy": "no",
    }
    told = replace(config, trl={**config.trl, **short})
    clock = _Clock()
    with tempfile.TemporaryDirectory(prefix="codeloop-probe-") as folder:
        trainer = trainer_of(told, RunFolder(Path(folder)), loaded, rows, None)
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(clock)
        counter = _Counter(trainer.data_collator)
        trainer.data_collator = counter
        trainer.train()
    each = trainer.args.gradient_accumulation_steps * trainer.args.world_size
    return Probe(
        statistics.fmean(counter.tokens) * each,
        statistics.median(clock.wall[_FIRST:]),
        statistics.median(clock.cpu[_FIRST:]),
        peak_bytes(),
        torch.cuda.get_device_name() if torch.cuda.is_available() else "processor",
    )


def peak_bytes() -> int:
    """Return the most memory that was held: on an accelerator if there is one, else resident."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
