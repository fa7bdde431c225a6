"""The rows that a config names: read from files, mixed by weight or by parts, always the same."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeloop.core.errors import ConfigError, DataError
from codeloop.core.files import open_packed
from codeloop.train.config import DataSettings, Split, TrainConfig
from codeloop.train.rendering import Sample, from_row, with_mask


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that is no row: its place as `file:line`, and why."""

    where: str
    why: str


def read_samples(path: Path) -> Iterator[Sample | Malformed]:
    """Yield the rows of a JSON Lines file (packed by gzip or not), and what is none.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with open_packed(path) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield as_sample(line, f"{path}:{number}")
    except (OSError, EOFError) as error:
        msg = f"{path}: cannot be read ({error})"
        raise DataError(msg) from error


def as_sample(line: bytes, where: str) -> Sample | Malformed:
    """Return the row that a line holds, or why it is none."""
    try:
        row = json.loads(line)
        if not isinstance(row, dict):
            return Malformed(where, "not a JSON object")
        return from_row(row, where)
    except (ValueError, RecursionError) as error:
        return Malformed(where, str(error))


def samples(config: TrainConfig, data: DataSettings) -> Iterator[Sample]:
    """Yield the rows of one file of a config, with the config's mask.

    Raises:
        DataError: the file cannot be read, or a line is no row; names file:line.
    """
    for each in read_samples(config.file(data.path)):
        if isinstance(each, Malformed):
            msg = f"{each.where}: {each.why}"
            raise DataError(msg)
        yield with_mask(each, config.mask)


def takes(data: Sequence[DataSettings], counts: Sequence[int]) -> list[float]:
    """Return how often an epoch takes each row of each file that has that many rows.

    Parts count by rows. None is left out: the file that has the most rows for its part gives each
    once, and the others repeat some.
    """
    if not data or any(each.parts is None for each in data):
        return [each.weight for each in data]
    scale = max(count / (each.parts or 1) for each, count in zip(data, counts, strict=True))
    return [
        scale * (each.parts or 1) / count if count else 0.0
        for each, count in zip(data, counts, strict=True)
    ]


def mixed(counts: Sequence[int], often: Sequence[float], *, seed: int) -> list[tuple[int, int]]:
    """Return an epoch's rows as pairs of file and row, shuffled; the seed decides alone.

    Of a file taken 2.5 times each row comes twice, and a random half of them once more.
    """
    draw = random.Random(seed)  # noqa: S311  reproducible is what is wanted
    epoch: list[tuple[int, int]] = []
    for file, (count, times) in enumerate(zip(counts, often, strict=True)):
        wanted = round(count * times)
        whole, rest = divmod(wanted, count) if count else (0, 0)
        epoch += [(file, row) for _ in range(whole) for row in range(count)]
        epoch += [(file, row) for row in sorted(draw.sample(range(count), rest))]
    draw.shuffle(epoch)
    return epoch


def in_split(
    config: TrainConfig, split: Split, read: Callable[[DataSettings], Sequence[Sample]]
) -> list[Sample]:
    """Return an epoch's rows of a split, mixed; `read` gives the rows of a file.

    Raises:
        ConfigError: there is no row.
    """
    data = config.of(split)
    files = [read(each) for each in data]
    counts = [len(each) for each in files]
    often = takes(data, counts)
    epoch = [files[file][row] for file, row in mixed(counts, often, seed=config.seed)]
    if data and not epoch:
        msg = f"{config.path}: the files for {split.value} hold no row"
        raise ConfigError(msg)
    return epoch
