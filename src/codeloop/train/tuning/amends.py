"""Where TRL is not left as it is: each is done before a trainer is made, and may be done again."""

import torch
from huggingface_hub import constants
from trl.trainer import utils

_WITHOUT_COMPILER = frozenset({"cuda", "xpu", "cpu"})


def tell_nobody() -> None:
    """Forbid TRL to tell its makers of each trainer that is made: nothing leaves unasked."""
    constants.HF_HUB_DISABLE_TELEMETRY = True


def score_learned_alone() -> None:
    """Have TRL's losses pass over the tokens of which nothing is learned, as on GPUs.

    TRL 1.16 does so where it has kernels of its own, and elsewhere works out the logits of every
    token, lest shapes that change have a compiler start again. PyTorch on a processor compiles
    nothing by itself. Of dialogues a quarter of the tokens is learned, and a small model's logits
    take half of a step. The losses and their gradients are the same.
    """
    utils._use_triton = _scores_learned_alone  # noqa: SLF001  it has no setting for it


def _scores_learned_alone(device: torch.device) -> bool:
    return device.type in _WITHOUT_COMPILER
