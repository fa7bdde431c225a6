"""A model as it is at this moment, in a folder that can be served at once."""

import tempfile
from pathlib import Path
from typing import Any

from codeloop.train.export.adapter import write_adapter
from codeloop.train.export.merged import Precision, write_merged
from codeloop.train.loading import Loaded
from codeloop.train.runs import RunFolder
from codeloop.train.weights import Merged, is_adapter

ADAPTER, MERGED = "adapter.gguf", "model-{precision}.gguf"


def snapshot(folder: Path, model: Any, loaded: Loaded, *, name: str = "") -> Path:
    """Write what the engine needs to serve a model; return the GGUF file that is new.

    An adapter on a base that is a GGUF file is written alone; else the whole model, in float16.

    Raises:
        DataError: the model cannot be written as GGUF.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = name or f"{loaded.origin.name} ({folder.name})"
    base = loaded.origin.gguf
    if is_adapter(model) and base is not None:
        with tempfile.TemporaryDirectory(dir=folder) as saved:
            model.save_pretrained(saved)
            write_adapter(folder / ADAPTER, Path(saved), model.config, name=name)
        RunFolder(folder).serve(base=str(base.resolve()), adapter=ADAPTER)
        return folder / ADAPTER
    path = folder / MERGED.format(precision=Precision.F16.value)
    plain = Merged(model) if is_adapter(model) else model
    write_merged(path, plain, loaded.tokenizer, loaded.origin, precision=Precision.F16, name=name)
    RunFolder(folder).serve(base=path.name, adapter=None)
    return path
