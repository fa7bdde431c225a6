"""What a trainer is fed: an epoch of checked rows, and batches that know kinds of replies."""

from typing import Any

from datasets import Dataset, concatenate_datasets
from trl.data_utils import pack_dataset
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from codeloop.core.errors import DataError
from codeloop.train.checking.report import Report, epoch
from codeloop.train.config import Split, TrainConfig

_COLUMNS = ("input_ids", "labels", "kinds")


def feed(config: TrainConfig, report: Report, split: Split) -> Dataset | None:
    """Return an epoch of a split's rows as tokens, packed if the config says so; None for none.

    The tokens stay in the files of the cache, which are mapped into memory.

    Raises:
        DataError: nothing is learned of them.
    """
    files = [each for each in report.files if each.data.split is split]
    if not files:
        return None
    order = epoch(files, seed=config.seed)
    if not order:
        msg = f"{config.path}: nothing is learned of the rows for {split.value}"
        raise DataError(msg)
    starts, shards = [0], []
    for file in files:
        shards += [Dataset.from_file(str(shard.arrow)) for shard in file.shards]
        starts.append(sum(len(each) for each in shards))
    rows = concatenate_datasets(shards).select_columns(list(_COLUMNS))
    rows = rows.select([starts[file] + row for file, row in order])
    if config.trl.get("packing"):
        strategy = config.trl.get("packing_strategy", "bfd")
        rows = pack_dataset(rows, config.max_length, strategy)
    return rows


class KindCollator(DataCollatorForLanguageModeling):
    """Makes batches as TRL does, with the kind of each token beside its label."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        marked = [{**each, "labels": each["kinds"]} for each in examples]
        batch["kinds"] = super().torch_call(marked)["labels"].clamp(min=0)
        return batch
