"""The numbers that a run computes with: bf16 only where the machine has instructions for it."""

from dataclasses import replace

import torch

from codeloop.train.config import TrainConfig
from codeloop.train.presets import Preset


def quick_bf16() -> bool:
    """Return whether this machine multiplies in bf16 at least as fast as in fp32.

    A processor without AVX-512 or its like (Intel, AMD), or bf16 instructions (Arm), takes some
    fifty times as long: 1.2 in place of 58 GFLOP a second on a core with AVX2.
    """
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001  torch has no other


def fitted(config: TrainConfig) -> TrainConfig:
    """Return a config without bf16 autocast, which all presets ask for, where it is slow."""
    if not config.trl.get("bf16") or quick_bf16():
        return config
    return replace(config, trl={**config.trl, "bf16": False})


def base_dtype(config: TrainConfig) -> torch.dtype:
    """Return how the weights are held that a run starts from.

    Those that are trained stand in fp32, since small steps are lost in bf16. The base of an adapter
    is not trained: in bf16 it takes half the memory, and need not be cast for each step.
    """
    frozen = config.peft is not None and config.preset is not Preset.QLORA
    return torch.bfloat16 if frozen and config.trl.get("bf16") else torch.float32
