"""A model as it is at this moment, in a folder that can be served at once."""

import tempfile
from pathlib import Path
from typing import Any

from codeloop.train.export.adapter import write_adapter
from codeloop.train.export.merged import Precision, write_merged
from codeloop.train.loading import Loaded
from codeloop.train.runs import RunFolder

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


def is_adapter(model: Any) -> bool:
    """Return whether a model is an adapter of peft on another."""
    return hasattr(model, "peft_config")


class Merged:
    """The weights of a model with its adapter added to them; the model itself stays as it is.

    Without the adapter they are those of the model that it was put on.
    """

    def __init__(self, model: Any, *, with_adapter: bool = True) -> None:
        self.config = model.config
        self._model = model.get_base_model()
        self._with_adapter = with_adapter

    def state_dict(self) -> dict[str, Any]:
        """Return the weights by the names that they have without an adapter."""
        weights = {
            name.replace(".base_layer", ""): values
            for name, values in self._model.state_dict().items()
            if ".lora_" not in name
        }
        for name, module in self._model.named_modules() if self._with_adapter else ():
            for adapter in module.active_adapters if hasattr(module, "get_delta_weight") else ():
                weight = f"{name}.weight"
                weights[weight] = weights[weight] + module.get_delta_weight(adapter).detach()
        return weights
