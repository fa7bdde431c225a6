"""What `codeloop train` left in a folder: a GGUF file, or an adapter to put on one."""

import json
from dataclasses import dataclass
from pathlib import Path

from codeloop.core.errors import ConfigError, DataError

SERVED = "serve.json"


@dataclass(frozen=True, slots=True)
class TrainedFiles:
    """The files that make up a trained model."""

    model: Path
    adapter: Path | None = None


def trained_files(folder: Path) -> TrainedFiles:
    """Return the files that the folder of a run says to serve.

    Raises:
        ConfigError: it says nothing, or what it names is gone.
        DataError: it cannot be read.
    """
    path = folder / SERVED
    if not path.is_file():
        msg = f"{folder}: nothing to serve there; `codeloop train export {folder}` writes it"
        raise ConfigError(msg)
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        model = folder / said["base"]  # an absolute path stays one
        adapter = folder / said["adapter"] if said.get("adapter") else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path}: does not say what to serve ({error!r})"
        raise DataError(msg) from error
    for each in (model, adapter):
        if each is not None and not each.is_file():
            msg = f"{folder}: {each} is gone; `codeloop train export {folder}` writes it anew"
            raise ConfigError(msg)
    return TrainedFiles(model, adapter)
