"""The numbers that a run is computed in: bf16 only where the machine has instructions for it."""

from dataclasses import replace

import torch

from codeloop.train.config import TrainConfig


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
