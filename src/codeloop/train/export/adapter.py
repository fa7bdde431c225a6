"""LoRA weights as a GGUF file that llama.cpp puts on the base's own file."""

import json
import re
from pathlib import Path
from typing import Any

from gguf import GGUFWriter
from safetensors.numpy import load_file

from codeloop.core.errors import DataError
from codeloop.train.export.merged import finish
from codeloop.train.export.tensors import Names

_WEIGHT = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")


def write_adapter(path: Path, folder: Path, config: Any, *, name: str) -> None:
    """Write the adapter that peft saved in a folder; `config` is the base model's.

    Raises:
        DataError: it holds more than plain LoRA weights, or the file cannot be written.
    """
    settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    names = Names(config)
    writer = GGUFWriter(None, names.architecture)
    writer.add_type("adapter")
    writer.add_name(name)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", _alpha(settings))
    for weight, values in load_file(folder / "adapter_model.safetensors").items():
        found = _WEIGHT.fullmatch(weight)
        if found is None or settings.get("use_dora"):
            msg = f"{folder}: {weight} is no plain LoRA weight: export a merged model instead"
            raise DataError(msg)
        tensor = names.of(found["module"] + ".weight")
        values = values.astype("float32")  # noqa: PLW2901  the same tensor, as it is stored
        if found["side"] == "A":
            writer.add_tensor(f"{tensor}.lora_a", values)
        else:
            writer.add_tensor(f"{tensor}.lora_b", names.placed(tensor, values))
    finish(writer, path)


def _alpha(settings: dict[str, Any]) -> float:
    """Return the alpha by which llama.cpp comes to peft's scale: it divides by the rank."""
    alpha, rank = float(settings["lora_alpha"]), int(settings["r"])
    return alpha * rank**0.5 if settings.get("use_rslora") else alpha
