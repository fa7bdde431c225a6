"""The folder of a run: what was asked for, what came of it, and where each thing lies."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from codeloop.core.errors import ConfigError, DataError
from codeloop.core.files import whole_file
from codeloop.core.records import from_json, to_json

FACTS, SERVED, LOG = "run.json", "serve.json", "log.jsonl"


class Method(StrEnum):
    """How a model was trained."""

    SFT = "sft"
    DPO = "dpo"
    KTO = "kto"
    GRPO = "grpo"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a run is: written when it starts, and found again when it goes on.

    `base_path` is the GGUF file or the folder that it starts from, "" for a hub's model;
    `four_bit` says that it was packed for the training (QLoRA), `bf16` that it was rounded to that.
    """

    method: Method
    base: str
    base_path: str
    adapter: bool
    data_hash: str
    rows: int
    schema: int = 1
    four_bit: bool = False
    bf16: bool = False


def leads() -> bool:
    """Return whether this process is the one of its launch that writes what is written once."""
    return int(os.environ.get("RANK", "0")) == 0


def processes() -> int:
    """Return how many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A folder with a run in it."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """Where the trained weights lie at the end: an adapter, or a whole model."""
        return self.path / "model"

    @property
    def log(self) -> Path:
        return self.path / LOG

    def start(self, facts: Facts) -> None:
        """Note what the run is, or see that the one that is there is the same.

        Raises:
            ConfigError: there is another run in the folder.
            DataError: it cannot be written.
        """
        path = self.path / FACTS
        if not leads():
            return
        if not path.exists():
            _write_json(path, to_json(facts))
        elif (found := self.facts()) != facts:
            mine, theirs = to_json(facts), to_json(found)
            (key, *_) = [key for key in mine if mine[key] != theirs[key]]
            msg = f"{self.path} holds another run (its {key} is {theirs[key]!r}): take a new folder"
            raise ConfigError(msg)

    def facts(self) -> Facts:
        """Return what the run is.

        Raises:
            DataError: there is none.
        """
        return read_facts(self.path)

    def last_checkpoint(self) -> Path | None:
        """Return the newest whole checkpoint; what a killed process left unfinished is removed."""
        found = []
        for path in self.checkpoints.glob("checkpoint-*"):
            if _is_whole(path):
                found.append(path)
            elif leads():
                shutil.rmtree(path)
        return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)

    def serve(self, *, base: str, adapter: str | None) -> None:
        """Say how the model is served: a GGUF file, and an adapter in the folder to put on it."""
        served = {"base": base} | ({"adapter": adapter} if adapter else {})
        _write_json(self.path / SERVED, served)

    def logged(self) -> Iterator[dict[str, Any]]:
        """Yield what was logged, in order: a step each, the last of its kind."""
        if not self.log.exists():
            return
        for line in self.log.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)

    def forget_after(self, step: int) -> None:
        """Drop what was logged after a step: it is done again."""
        kept = [row for row in self.logged() if row["step"] <= step]
        with whole_file(self.log) as file:
            file.writelines(json.dumps(row).encode() + b"\n" for row in kept)


def read_facts(folder: Path) -> Facts:
    """Return what the run in a folder is.

    Raises:
        DataError: there is none.
    """
    path = folder / FACTS
    try:
        return from_json(Facts, json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        msg = f"{folder}: no run of `codeloop train` ({error.strerror}: {FACTS})"
        raise DataError(msg) from error
    except ValueError as error:
        msg = f"{path}: {error}"
        raise DataError(msg) from error


def _is_whole(checkpoint: Path) -> bool:
    """Return whether a checkpoint was written to its end: its state is what is written last."""
    try:
        json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    with whole_file(path) as file:
        file.write((json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode())
