"""What a trainer is fed: rows as tokens, kept by content; batches that know kinds of replies."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset, load_from_disk
from trl.data_utils import pack_dataset
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from codeloop.core.errors import DataError
from codeloop.train.config import DataSettings, Split, TrainConfig
from codeloop.train.rendering import Sample
from codeloop.train.rows import in_split, samples
from codeloop.train.templates import Template
from codeloop.train.tokens import tokenised

_VERSION = 1  # of what is kept
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Feed:
    """The rows of a split, tokenised; `digest` stands for all that they depend on."""

    rows: Dataset
    digest: str


def feed(config: TrainConfig, split: Split, tokenizer: Any, template: Template) -> Feed | None:
    """Return the rows of a split as tokens, packed if the config says so; None if it has none.

    Rows are cut at the config's length; one of which nothing is then learned is left out.

    Raises:
        ConfigError: the files hold no row, or the template does not take one.
        DataError: a file cannot be read, or nothing is learned.
    """
    if not config.of(split):
        return None
    digest = _digest(config, split, tokenizer, template)
    kept = Path(config.cache).expanduser() / f"rows-{digest[:32]}" if config.cache else None
    if kept is not None and kept.is_dir():
        return Feed(load_from_disk(str(kept)), digest)
    given = iter(in_split(config, split, lambda data: _read(config, data)))
    coded = (row.cut(config.max_length) for row in tokenised(tokenizer, template, given))
    rows = Dataset.from_list([row.columns() for row in coded if row.learned])
    if not len(rows):
        msg = f"{config.path}: nothing is learned of the rows for {split.value}"
        raise DataError(msg)
    if config.trl.get("packing"):
        strategy = config.trl.get("packing_strategy", "bfd")
        rows = pack_dataset(rows, config.max_length, strategy)
    if kept is not None:
        unfinished = kept.with_name(f"{kept.name}.tmp")
        rows.save_to_disk(str(unfinished))
        unfinished.rename(kept)
    return Feed(rows, digest)


class KindCollator(DataCollatorForLanguageModeling):
    """Makes batches as TRL does, with the kind of each token beside its label."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        marked = [{**each, "labels": each["kinds"]} for each in examples]
        batch["kinds"] = super().torch_call(marked)["labels"].clamp(min=0)
        return batch


def _read(config: TrainConfig, data: DataSettings) -> Sequence[Sample]:
    return list(samples(config, data))


def _digest(config: TrainConfig, split: Split, tokenizer: Any, template: Template) -> str:
    facts = [
        _VERSION,
        [
            [_file_digest(config.file(each.path)), each.weight, each.parts]
            for each in config.of(split)
        ],
        [config.mask.value, config.seed, config.max_length],
        [config.trl.get("packing"), config.trl.get("packing_strategy")],
        [template.training, tokenizer.backend_tokenizer.to_str()],
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise DataError(msg) from error
    return digest.hexdigest()


def packs(trl: Mapping[str, Any]) -> bool:
    """Return whether rows share a sequence, told apart by their positions alone."""
    return bool(trl.get("packing")) and trl.get("packing_strategy", "bfd") != "wrapped"
