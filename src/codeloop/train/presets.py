"""The presets of training: what a config says without being told."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

Section = Mapping[str, Any]


class Preset(StrEnum):
    """A set of defaults by name."""

    PAPER = "paper"  # all weights, as OpenCodeInterpreter was trained
    LORA = "lora"  # an adapter on a frozen model
    QLORA = "qlora"  # an adapter on a frozen model of four bits
    TINY = "tiny"  # a small model on a laptop's processor


_COMMON: Section = MappingProxyType(
    {
        "lr_scheduler_type": "cosine",
        "warmup_steps": 0.05,  # below 1: the share of all steps
        "logging_steps": 10,
        "save_strategy": "steps",
        "save_steps": 200,
        "save_total_limit": 3,
        "report_to": "tensorboard",
    }
)

# OpenCodeInterpreter, arXiv 2402.14658, section 4: 3 epochs, 2e-5, warm-up 0.05, cosine, 4096
# tokens, loss on every reply. Its batch size is not published: 64 is ours.
_PAPER: Section = MappingProxyType(
    {
        **_COMMON,
        "num_train_epochs": 3,
        "learning_rate": 2e-5,
        "max_length": 4096,
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 64,
        "gradient_checkpointing": True,
        "bf16": True,
        "packing": True,
    }
)

_TRL: Mapping[Preset, Section] = MappingProxyType(
    {
        Preset.PAPER: _PAPER,
        Preset.LORA: MappingProxyType({**_PAPER, "learning_rate": 2e-4}),
        Preset.QLORA: MappingProxyType({**_PAPER, "learning_rate": 2e-4}),
        Preset.TINY: MappingProxyType(
            {
                **_COMMON,
                "num_train_epochs": 1,
                "learning_rate": 1e-4,
                "max_length": 1024,
                "per_device_train_batch_size": 1,
                "gradient_accumulation_steps": 8,
                "gradient_checkpointing": False,
                "bf16": True,  # autocast: 1.4 times as fast as fp32, also on a processor
                "packing": False,
            }
        ),
    }
)

# Every linear layer, as the QLoRA paper found best (arXiv 2305.14314, section 4).
_ADAPTER: Section = MappingProxyType(
    {"r": 16, "lora_alpha": 32, "lora_dropout": 0.05, "target_modules": "all-linear"}
)

_PEFT: Mapping[Preset, Section | None] = MappingProxyType(
    {
        Preset.PAPER: None,
        Preset.LORA: _ADAPTER,
        Preset.QLORA: _ADAPTER,
        Preset.TINY: None,
    }
)


def trl_defaults(preset: Preset) -> dict[str, Any]:
    """Return what a preset says to the trainer: keys of TRL's `SFTConfig`."""
    return dict(_TRL[preset])


def peft_defaults(preset: Preset) -> dict[str, Any] | None:
    """Return what a preset says of the adapter: keys of peft's `LoraConfig`; None for none."""
    found = _PEFT[preset]
    return None if found is None else dict(found)
