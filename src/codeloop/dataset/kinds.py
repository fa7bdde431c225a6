"""The stages that a config may name."""

from codeloop.dataset import refining
from codeloop.dataset.stages import StageKind

KINDS: tuple[StageKind, ...] = (refining.KIND,)
