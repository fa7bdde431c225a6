"""The rows of an epoch as TRL takes them: mapped from the kept shards, none copied."""

from collections.abc import Sequence
from typing import Any

from codeloop.core.errors import DataError
from codeloop.train.checking.report import CheckedFile, epoch


def token_set(files: Sequence[CheckedFile], *, seed: int) -> Any:
    """Return an epoch of files as a `datasets.Dataset` of `input_ids`, `labels` and `kinds`.

    Rows are cut to the length, mixed as the config says, and those of which nothing is learned
    are left out. Order and choice depend on the seed alone.

    Raises:
        DataError: no row is left.
    """
    from datasets import Dataset, concatenate_datasets  # noqa: PLC0415  slow to import

    order = epoch(files, seed=seed)
    if not order:
        msg = f"{', '.join(str(each.path) for each in files)}: there is no row to learn from"
        raise DataError(msg)
    starts, shards, rows = [], [], 0
    for each in files:
        starts.append(rows)
        rows += sum(len(shard.facts) for shard in each.shards)
        shards += [Dataset.from_file(str(shard.arrow)) for shard in each.shards]
    return concatenate_datasets(shards).select([starts[file] + row for file, row in order])
