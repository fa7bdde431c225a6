"""The tensors of a model as GGUF files name and order them."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, get_tensor_name_map
from numpy.typing import NDArray

from codeloop.core.errors import DataError

Array = NDArray[np.float32]

# `model_type` of a config -> the architecture of a GGUF file
ARCHITECTURES: Mapping[str, str] = {
    "llama": "llama",
    "mistral": "llama",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
}
_ROTATED = ("attn_q", "attn_k")


def architecture(config: Any) -> str:
    """Return the name that GGUF has for a model's architecture.

    Raises:
        DataError: it is none that can be written here.
    """
    name = ARCHITECTURES.get(config.model_type)
    if name is None:
        msg = (
            f"models of type {config.model_type} cannot be written as GGUF here (known are "
            f"{', '.join(ARCHITECTURES)}): export `merged` and use llama.cpp's own converter"
        )
        raise DataError(msg)
    return name


class Names:
    """Which tensor of a GGUF file a weight of a model is, and how its rows lie there."""

    def __init__(self, config: Any) -> None:
        self._config = config
        self.architecture = architecture(config)
        kind = {name: arch for arch, name in MODEL_ARCH_NAMES.items()}[self.architecture]
        self._map = get_tensor_name_map(MODEL_ARCH(kind), config.num_hidden_layers)

    def of(self, weight: str) -> str:
        """Return the name of a weight, `model.layers.0.self_attn.q_proj.weight` for example.

        Raises:
            DataError: the architecture has no such weight.
        """
        name = self._map.get_name(weight, try_suffixes=(".weight", ".bias"))
        if name is None:
            msg = f"GGUF has no name for the weight {weight} of a {self.architecture}"
            raise DataError(msg)
        return str(name)

    def placed(self, name: str, values: Array) -> Array:
        """Return a tensor with its rows in the order that GGUF wants.

        llama.cpp turns neighbours of a `llama` (rows 0 and 1 of a head), transformers halves.
        """
        part = name.split(".")[-2]
        if self.architecture != "llama" or part not in _ROTATED:
            return values
        heads = self._config.num_attention_heads
        if part == "attn_k":
            heads = self._config.num_key_value_heads or heads
        halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
        return halves.swapaxes(1, 2).reshape(values.shape)


def tensors(model: Any) -> Iterator[tuple[str, Array]]:
    """Yield the weights of a transformers model under their GGUF names, in float32.

    Raises:
        DataError: it is of an architecture that cannot be written here.
    """
    names = Names(model.config)
    tied = model.config.tie_word_embeddings
    for weight, values in model.state_dict().items():
        if tied and weight == "lm_head.weight":
            continue  # the engine takes the embedding for it
        name = names.of(weight)
        yield name, names.placed(name, values.detach().float().cpu().numpy())
