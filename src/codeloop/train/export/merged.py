"""Whole models as GGUF files: the base's file is the template, or else its config."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from gguf import (
    GGMLQuantizationType,
    GGUFReader,
    GGUFValueType,
    GGUFWriter,
    LlamaFileType,
    ReaderTensor,
    quants,
)

from codeloop.core.errors import DataError
from codeloop.train.export.tensors import Array, architecture, tensors
from codeloop.train.loading import Origin
from codeloop.train.vocabulary import vocabulary_fields

_BLOCK = 32  # values of a row that share a scale in Q8_0


class Precision(StrEnum):
    """How the matrices of a GGUF file are stored; vectors are float32 always."""

    F16 = "f16"
    Q8_0 = "q8_0"


_FILE_TYPES = {
    Precision.F16: LlamaFileType.MOSTLY_F16,
    Precision.Q8_0: LlamaFileType.MOSTLY_Q8_0,
}
_OWN = ("GGUF.", "general.architecture", "general.file_type", "general.quantization_version")


def write_merged(
    path: Path, model: Any, tokenizer: Any, origin: Origin, *, precision: Precision, name: str
) -> None:
    """Write a model with its tokenizer; the file is there whole or not at all.

    Raises:
        DataError: it cannot be written as GGUF, or not there.
    """
    writer = GGUFWriter(None, architecture(model.config))
    template = GGUFReader(origin.gguf) if origin.gguf is not None else None
    if template is None:
        fields = config_fields(model.config) | vocabulary_fields(tokenizer)
        for key, value in fields.items():
            _put(writer, key, value)
    else:
        _copy_fields(writer, template)
    writer.add_string("general.name", name)
    writer.add_file_type(_FILE_TYPES[precision])
    if precision is Precision.Q8_0:
        writer.add_quantization_version(2)
    written = set()
    for tensor, values in tensors(model):
        written.add(tensor)
        stored, kind = _stored(values, precision)
        writer.add_tensor(tensor, stored, raw_dtype=kind)
    for kept in template.tensors if template else ():
        if kept.name not in written and not _is_tied_output(kept, model):
            writer.add_tensor(kept.name, kept.data, raw_dtype=kept.tensor_type)
    finish(writer, path)


def finish(writer: GGUFWriter, path: Path) -> None:
    """Write what was added, in the order of the format; the file is there whole or not at all.

    Raises:
        DataError: it cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer.write_header_to_file(unfinished)
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        unfinished.replace(path)
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror})"
        raise DataError(msg) from error


def config_fields(config: Any) -> dict[str, Any]:
    """Return the metadata of a model that no GGUF file is the template of.

    Raises:
        DataError: its positions are scaled in a way that is not written here.
    """
    rope = config.rope_parameters
    if rope.get("rope_type", "default") != "default":
        msg = f"rope of type {rope['rope_type']} is not written here: use llama.cpp's converter"
        raise DataError(msg)
    heads = config.num_attention_heads
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    own = {
        "block_count": config.num_hidden_layers,
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": heads,
        "attention.head_count_kv": config.num_key_value_heads or heads,
        "attention.key_length": head_dim,
        "attention.value_length": head_dim,
        "attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        "rope.freq_base": float(rope["rope_theta"]),
        "rope.dimension_count": head_dim,
        "vocab_size": config.vocab_size,
    }
    name = architecture(config)
    return {f"{name}.{key}": value for key, value in own.items()}


def _put(writer: GGUFWriter, key: str, value: Any) -> None:
    put: Mapping[type, Callable[[str, Any], None]] = {
        bool: writer.add_bool,
        int: writer.add_uint32,
        float: writer.add_float32,
        str: writer.add_string,
        list: writer.add_array,
    }
    put[type(value)](key, value)


def _copy_fields(writer: GGUFWriter, template: GGUFReader) -> None:
    for key, field in template.fields.items():
        if key.startswith(_OWN) or key == "general.name":
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind is GGUFValueType.ARRAY else None
        writer.add_key_value(key, field.contents(), kind, sub_type=inner)


def _stored(values: Array, precision: Precision) -> tuple[Any, GGMLQuantizationType]:
    if values.ndim < 2:  # noqa: PLR2004  a vector
        return values, GGMLQuantizationType.F32
    if precision is Precision.F16 or values.shape[-1] % _BLOCK:
        return values.astype(np.float16), GGMLQuantizationType.F16
    kind = GGMLQuantizationType.Q8_0
    return quants.quantize(np.ascontiguousarray(values), kind), kind


def _is_tied_output(kept: ReaderTensor, model: Any) -> bool:
    """Return whether a tensor of the template is what the embedding now stands for."""
    return kept.name == "output.weight" and bool(model.config.tie_word_embeddings)
