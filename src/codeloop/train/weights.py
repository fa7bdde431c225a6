"""The weights of a model as plain numbers: an adapter added, four bits unpacked."""

import copy
from typing import Any

import torch
from transformers import AutoModelForCausalLM


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
        """Return the weights by the names that they have without an adapter, none in four bits."""
        weights = {
            name.replace(".base_layer", ""): values
            for name, values in self._unpacked().items()
            if ".lora_" not in name
        }
        for name, module in self._model.named_modules() if self._with_adapter else ():
            for adapter in module.active_adapters if hasattr(module, "get_delta_weight") else ():
                weight = f"{name}.weight"
                weights[weight] = weights[weight] + _delta(module, adapter)
        return weights

    def _unpacked(self) -> dict[str, Any]:
        """Return the model's own weights; those of four bits as the numbers that they stand for."""
        weights: dict[str, Any] = self._model.state_dict()
        for name, module in self._model.named_modules():
            state = getattr(getattr(module, "weight", None), "quant_state", None)
            if state is None:
                continue
            weights = {
                each: values
                for each, values in weights.items()
                if not each.startswith(f"{name}.weight.")  # scales, and scales of scales
            }
            weights[f"{name}.weight"] = _dequantised(module.weight.data, state)
        return weights


def _delta(module: Any, adapter: str) -> Any:
    """Return what an adapter adds to a layer, in fp32: in bf16 their product is rounded once more.

    TRL keeps the adapter of a base of four bits in bf16.
    """
    parts = [each for name, each in module.named_parameters() if name.startswith("lora_")]
    kept = [each.data for each in parts]
    for each in parts:
        each.data = each.data.float()
    try:
        return module.get_delta_weight(adapter).detach()
    finally:
        for each, data in zip(parts, kept, strict=True):
            each.data = data


def _dequantised(packed: Any, state: Any) -> Any:
    from bitsandbytes.functional import dequantize_4bit  # noqa: PLC0415  an extra of its own

    return dequantize_4bit(packed, state).float()


def plain(model: Any) -> Any:
    """Return a model with its weights in fp32 and in the host's memory, to compare and to write.

    It is the same model, unless its base has four bits: then it has the adapter added.
    """
    if not getattr(model, "is_loaded_in_4bit", False):
        return model.to("cpu", torch.float32)
    config = copy.deepcopy(model.config)
    del config.quantization_config
    made = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    made.load_state_dict(Merged(model).state_dict(), strict=False)  # tied weights stand there once
    made.tie_weights()
    return made
