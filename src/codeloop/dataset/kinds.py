"""The stages that a config may name."""

from codeloop.dataset import refining
from codeloop.dataset.decontamination import leaks as decontamination
from codeloop.dataset.deduplication import stage as deduplication
from codeloop.dataset.scoring import stage as scoring
from codeloop.dataset.stages import StageKind
from codeloop.dataset.ways import kinds as ways

KINDS: tuple[StageKind, ...] = (
    deduplication.KIND,
    scoring.KIND,
    decontamination.KIND,
    refining.KIND,
    *ways.KINDS,
    decontamination.EXAMPLES_KIND,
)
