"""The sizes of a model, read without its weights."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeloop.core.errors import DataError


@dataclass(frozen=True, slots=True)
class Shape:
    """A model's sizes: parameters, layers, width, width inside a layer, vocabulary.

    `trained` are the parameters that training changes: all, or those of an adapter.
    """

    parameters: int
    layers: int
    width: int
    inner: int
    vocabulary: int
    trained: int

    @property
    def adapter(self) -> bool:
        """Whether only an adapter is trained."""
        return self.trained < self.parameters


# Sizes of published models, of their `config.json`: to plan for one that is not at hand.
PUBLISHED: dict[str, Shape] = {
    name: Shape(int(millions * 1e6), layers, width, inner, vocabulary, int(millions * 1e6))
    for name, millions, layers, width, inner, vocabulary in (
        ("deepseek-coder-1.3b", 1346, 24, 2048, 5504, 32256),
        ("deepseek-coder-6.7b", 6740, 32, 4096, 11008, 32256),
        ("deepseek-coder-33b", 33343, 62, 7168, 19200, 32256),
        ("codellama-7b", 6739, 32, 4096, 11008, 32016),
        ("codellama-13b", 13016, 40, 5120, 13824, 32016),
        ("codellama-34b", 33744, 48, 8192, 22016, 32000),
        ("codellama-70b", 68977, 80, 8192, 28672, 32016),
        ("starcoder2-15b", 15958, 40, 6144, 24576, 49152),
        ("qwen2.5-coder-7b", 7616, 28, 3584, 18944, 152064),
        ("qwen2.5-coder-32b", 32764, 64, 5120, 27648, 152064),
    )
}


def shape_of(path: Path, *, rank: int | None = None) -> Shape:
    """Return the sizes of a GGUF file's model, or of one in a folder with `config.json`.

    `rank` is that of an adapter on every linear layer; None for all weights.

    Raises:
        DataError: it cannot be read, or says too little.
    """
    try:
        shape = _of_gguf(path) if path.is_file() else _of_folder(path)
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        msg = f"{path}: no sizes of a model can be read ({error})"
        raise DataError(msg) from error
    return shape if rank is None else with_adapter(shape, rank)


def with_adapter(shape: Shape, rank: int) -> Shape:
    """Return a shape of which only an adapter is trained, on every linear layer.

    A matrix of a by b gets rank * (a + b) parameters (LoRA, arXiv 2106.09685). A layer is counted
    as four matrices of its width and three into its inner width.
    """
    layer = rank * (4 * 2 * shape.width + 3 * (shape.width + shape.inner))
    return Shape(
        shape.parameters,
        shape.layers,
        shape.width,
        shape.inner,
        shape.vocabulary,
        shape.layers * layer,
    )


def _of_gguf(path: Path) -> Shape:
    from gguf import GGUFReader  # noqa: PLC0415  of the extra

    reader = GGUFReader(path)

    def value(key: str) -> Any:
        return reader.get_field(key).contents()

    kind = value("general.architecture")
    count = sum(int(tensor.n_elements) for tensor in reader.tensors)
    return Shape(
        count,
        int(value(f"{kind}.block_count")),
        int(value(f"{kind}.embedding_length")),
        int(value(f"{kind}.feed_forward_length")),
        len(reader.get_field("tokenizer.ggml.tokens").data),
        count,
    )


def _of_folder(path: Path) -> Shape:
    """Read `config.json`, and have the model built on a device that holds no numbers."""
    import torch  # noqa: PLC0415  of the extra
    from transformers import AutoConfig, AutoModelForCausalLM  # noqa: PLC0415

    json.loads((path / "config.json").read_text(encoding="utf-8"))  # a clear error if it is none
    config = AutoConfig.from_pretrained(str(path), local_files_only=True)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    count = sum(each.numel() for each in model.parameters())
    return Shape(
        count,
        int(config.num_hidden_layers),
        int(config.hidden_size),
        int(config.intermediate_size),
        int(config.vocab_size),
        count,
    )
