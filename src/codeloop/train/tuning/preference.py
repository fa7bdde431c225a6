"""Preferences: TRL's DPO and KTO on pairs of a failed reply and the repaired one."""

import copy
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

from codeloop.core.errors import ConfigError, DataError
from codeloop.core.files import open_packed
from codeloop.core.records import from_line
from codeloop.train.config import Split, TrainConfig
from codeloop.train.loading import Origin
from codeloop.train.runs import Method, RunFolder
from codeloop.train.tuning.sft import (
    Trained,
    adapter_of,
    arguments,
    begin,
    callbacks,
    facts_of,
    finished,
    load_base,
)

_PARTS = ("prompt", "chosen", "rejected")


@dataclass(frozen=True, slots=True)
class Pairs:
    """The pairs of a config's files, in order; `digest` stands for what they say."""

    rows: list[dict[str, Any]]
    digest: str


def prefer(config: TrainConfig, origin: Origin, method: Method, *, resume: bool = True) -> Trained:
    """Train a model to prefer repaired replies; a run that was broken off goes on where it can.

    A file has a pair a line, as `codeloop dataset export --form pairs` writes them: `prompt`,
    `chosen` and `rejected`, each a list of messages. KTO takes each pair as a good and a bad reply.

    Raises:
        ConfigError: a setting is wrong, or the folder holds another run.
        DataError: a file is not what it should be.
    """
    run = RunFolder(config.file(config.output))
    pairs = read_pairs(config)
    loaded = load_base(config, origin)
    rows = pairs.rows if method is Method.DPO else list(_unpaired(pairs.rows))
    begin(run, config, facts_of(method, config, origin, pairs.digest, len(rows)))
    kinds = {Method.DPO: (DPOConfig, DPOTrainer), Method.KTO: (KTOConfig, KTOTrainer)}
    settings, trainer_of = kinds[method]
    adapter = adapter_of(config)
    trainer = trainer_of(
        model=loaded.model,
        ref_model=None if adapter is not None else copy.deepcopy(loaded.model),
        args=arguments(config, settings, run, config.trl),
        train_dataset=Dataset.from_list(rows),
        processing_class=loaded.tokenizer,
        callbacks=callbacks(config, run),
        peft_config=adapter,
    )
    return finished(trainer, run, loaded, resume=resume)


def read_pairs(config: TrainConfig) -> Pairs:
    """Return the pairs of the files that a config trains on.

    Raises:
        ConfigError: there is none.
        DataError: a file cannot be read, or a line is no pair; names file:line.
    """
    rows: list[dict[str, Any]] = []
    digest = hashlib.blake2b(digest_size=16)
    for data in config.of(Split.TRAIN):
        for line, where in _lines(config.file(data.path)):
            digest.update(line)
            rows.append(_pair(line, where))
    if not rows:
        msg = f"{config.path}: the files for training hold no pair"
        raise ConfigError(msg)
    return Pairs(rows, digest.hexdigest())


def _lines(path: Path) -> Iterator[tuple[bytes, str]]:
    try:
        with open_packed(path) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield line, f"{path}:{number}"
    except (OSError, EOFError) as error:
        msg = f"{path}: cannot be read ({error})"
        raise DataError(msg) from error


def _pair(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = from_line(line.decode())
        found = {name: [_message(each) for each in row[name]] for name in _PARTS}
    except (ValueError, TypeError, KeyError) as error:
        msg = f"{where}: not a pair of `codeloop dataset export --form pairs` ({error!r})"
        raise DataError(msg) from error
    if not all(found.values()):
        msg = f"{where}: not a pair: prompt, chosen and rejected hold a message at least"
        raise DataError(msg)
    return found


def _message(entry: dict[str, Any]) -> dict[str, str]:
    role, content = entry["role"], entry["content"]
    if not isinstance(role, str) or not isinstance(content, str):
        msg = "a message has a role and a text as its content"
        raise TypeError(msg)
    return {"role": "user" if role == "execution" else role, "content": content}


def _unpaired(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        for name, good in (("chosen", True), ("rejected", False)):
            yield {"prompt": row["prompt"], "completion": row[name], "label": good}
