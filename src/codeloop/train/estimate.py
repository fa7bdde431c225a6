"""What a training run takes: time, memory and cost for 1 to 64 GPUs, before it is paid for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from codeloop.train.shapes import Shape

GPUS = (1, 2, 4, 8, 16, 32, 64)
GIB = 1 << 30

# Dense bf16 FLOP a second and bytes of memory, from the makers' data sheets.
ACCELERATORS: dict[str, tuple[float, float]] = {
    "h100": (989e12, 80e9),
    "h200": (989e12, 141e9),
    "a100-80": (312e12, 80e9),
    "a100-40": (312e12, 40e9),
    "l40s": (362e12, 48e9),
    "a10": (125e12, 24e9),
    "rtx4090": (165e12, 24e9),
}

# Assumed share of the peak that training reaches, by GPUs: more of them talk more to each other.
# The weak term of the estimate: a probe on the machine itself takes its place.
_UTILISATION = ((8, 0.40), (16, 0.38), (32, 0.36), (64, 0.33))

_STATE_BYTES = 16  # fp32 weight and gradient, and the two moments of Adam
_FROZEN_BYTES = 2  # a bf16 weight that is not trained
_FROZEN_4BIT_BYTES = 0.55  # a 4 bit weight with its scales (QLoRA, arXiv 2305.14314)
_LAYER_BYTES = 34  # a token's activations of a layer, by width (arXiv 2205.05198, equation 2)
_LOGIT_BYTES = 10  # a token's logit: in bf16, in fp32, and its gradient
_CONTEXT_BYTES = 1.5e9  # what CUDA and the allocator take
_USED = 0.94  # of an accelerator's memory, at most


class Plan(StrEnum):
    """How a model lies on GPUs, the simplest first."""

    REPLICATED = "replicated"  # each GPU has the whole: DDP; on one GPU, itself
    REPLICATED_RECOMPUTED = "replicated, recomputed"  # with activation checkpointing
    SHARDED = "FSDP2"  # states shared out: FSDP2 or ZeRO-3
    SHARDED_RECOMPUTED = "FSDP2, recomputed"
    NONE = "does not fit"


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be gone through: tokens in all, mean and greatest tokens of a row, rows at once.

    `steps` are those of the optimiser; `four_bit` says that a frozen model has 4 bit.
    """

    tokens: int
    mean_tokens: float
    max_tokens: int
    batch: int = 1
    steps: int = 0
    four_bit: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: GPUs, the plan that fits, hours, bytes of memory on each, cost."""

    gpus: int
    plan: Plan
    hours: float
    memory_bytes: float
    cost: float | None


def flops(shape: Shape, work: Work, *, recomputed: bool = False) -> float:
    """Return the floating-point operations of a run.

    6 N a token, or 4 N where weights are frozen, whose own gradients are not needed; and 6 L h s
    for causal attention (arXiv 2001.08361, section 2.1). Recomputing adds a forward pass: 2 N and
    2 L h s.
    """
    attention = shape.layers * shape.width * work.mean_tokens
    each = (4 if shape.adapter else 6) * shape.parameters + 6 * attention
    if recomputed:
        each += 2 * shape.parameters + 2 * attention
    return each * work.tokens


def state_bytes(shape: Shape, *, four_bit: bool = False) -> float:
    """Return the bytes of weights, gradients and moments on all GPUs together, each once."""
    if not shape.adapter:
        return float(_STATE_BYTES * shape.parameters)
    frozen = _FROZEN_4BIT_BYTES if four_bit else _FROZEN_BYTES
    return frozen * shape.parameters + _STATE_BYTES * shape.trained


def activation_bytes(shape: Shape, work: Work, *, recomputed: bool) -> float:
    """Return the bytes of activations on a GPU: those of a batch at its greatest length.

    Recomputed, a layer keeps its input alone (bf16), and one layer at a time is whole.
    """
    tokens = work.batch * work.max_tokens
    layer = _LAYER_BYTES * shape.width * tokens
    logits = _LOGIT_BYTES * shape.vocabulary * tokens
    if recomputed:
        return 2 * shape.layers * shape.width * tokens + layer + logits
    return shape.layers * layer + logits


def memory_bytes(shape: Shape, work: Work, plan: Plan, gpus: int) -> float:
    """Return the bytes that a plan takes on each GPU."""
    recomputed = plan in {Plan.REPLICATED_RECOMPUTED, Plan.SHARDED_RECOMPUTED}
    states = state_bytes(shape, four_bit=work.four_bit)
    if plan in {Plan.SHARDED, Plan.SHARDED_RECOMPUTED}:
        gathered = 2 * shape.parameters / shape.layers  # one layer is whole, in bf16
        states = states / gpus + gathered
    return states + activation_bytes(shape, work, recomputed=recomputed) + _CONTEXT_BYTES


def utilisation(gpus: int) -> float:
    """Return the share of the peak that is assumed."""
    return next((share for most, share in _UTILISATION if gpus <= most), _UTILISATION[-1][1])


def hours(shape: Shape, work: Work, gpus: int, *, peak: float, recomputed: bool) -> float:
    """Return how long a run takes, by FLOP a second of a GPU; loading, saving, trying excluded."""
    rate = gpus * utilisation(gpus) * peak
    return flops(shape, work, recomputed=recomputed) / rate / 3600


def table(
    shape: Shape,
    work: Work,
    *,
    peak: float,
    memory: float,
    price: float | None = None,
    gpus: Sequence[int] = GPUS,
) -> list[Row]:
    """Return a line for each number of GPUs, with the simplest plan that fits into their memory."""
    return [_row(shape, work, each, peak=peak, memory=memory, price=price) for each in gpus]


def _row(
    shape: Shape, work: Work, gpus: int, *, peak: float, memory: float, price: float | None
) -> Row:
    plans = [Plan.REPLICATED, Plan.REPLICATED_RECOMPUTED]
    if gpus > 1:
        plans += [Plan.SHARDED, Plan.SHARDED_RECOMPUTED]
    needs = {plan: memory_bytes(shape, work, plan, gpus) for plan in plans}
    plan = next((plan for plan in plans if needs[plan] <= _USED * memory), Plan.NONE)
    if plan is Plan.NONE:
        return Row(gpus, plan, math.nan, min(needs.values()), None)
    recomputed = plan in {Plan.REPLICATED_RECOMPUTED, Plan.SHARDED_RECOMPUTED}
    time = hours(shape, work, gpus, peak=peak, recomputed=recomputed)
    cost = None if price is None else price * gpus * time
    return Row(gpus, plan, time, needs[plan], cost)


def process_bytes(shape: Shape, work: Work, *, libraries: float, autocast: bool) -> float:
    """Return the bytes of memory that training takes on a processor.

    States are fp32. Autocast keeps a bf16 copy of the weights for a step. `libraries` are the
    bytes that the process has before a model is loaded.
    """
    frozen = 4 * shape.parameters  # fp32 on a processor
    states = state_bytes(shape) if not shape.adapter else frozen + _STATE_BYTES * shape.trained
    copies = 2 * shape.parameters if autocast else 0
    width = 1 if autocast else 2  # activations in fp32 are twice as large
    return libraries + states + copies + width * activation_bytes(shape, work, recomputed=False)
