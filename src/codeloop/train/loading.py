"""A model to train from: its weights and its tokenizer, from a GGUF file, a folder, or a hub."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from gguf import GGUFReader
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, GgufConfig

from codeloop.core.errors import ConfigError, DataError, MissingExtraError
from codeloop.train.runs import Facts
from codeloop.train.vocabulary import knows, read_tokenizer
from codeloop.train.weights import plain


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model comes from: `path` is a GGUF file or a folder; without one `name` is a hub's.

    A hub is asked only if `online`.
    """

    name: str
    path: Path | None = None
    online: bool = False

    @property
    def gguf(self) -> Path | None:
        """The GGUF file, if it is one."""
        return self.path if self.path is not None and self.path.is_file() else None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A loaded model with its tokenizer, whose chat template is the one for inference."""

    origin: Origin
    model: Any
    tokenizer: Any


def load_model(
    origin: Origin,
    *,
    dtype: torch.dtype = torch.float32,
    four_bit: bool = False,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> Loaded:
    """Load weights and tokenizer; quantised weights become plain ones, which can be saved.

    `options` are more keywords of transformers' `from_pretrained`: `attn_implementation`, say.
    With `four_bit` the weights of linear layers are packed into four bits each, for an adapter
    to be trained on (QLoRA, arXiv 2305.14314, section 3: NF4, with scales quantised too).

    Raises:
        ConfigError: there is no such model, it would have to be fetched, or cannot be packed.
        DataError: the files are not what they should be.
    """
    packing = _four_bits(origin) if four_bit else None
    given = {"dtype": dtype, **options}
    tokenizer = load_tokenizer(origin)
    try:
        if origin.gguf is None:
            model = AutoModelForCausalLM.from_pretrained(
                str(origin.path or origin.name),
                local_files_only=not origin.online,
                quantization_config=packing,
                **given,
            )
        else:
            model = AutoModelForCausalLM.from_pretrained(
                str(origin.gguf.parent),
                gguf_file=origin.gguf.name,
                quantization_config=GgufConfig(dequantize=True),
                **given,
            )
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise _not_loaded(origin, error) from error
    return Loaded(origin, model, tokenizer)


def _four_bits(origin: Origin) -> BitsAndBytesConfig:
    if origin.gguf is not None:
        msg = (
            f"{origin.name}: qlora packs plain weights into four bits, and a GGUF file has its own "
            "way: name a folder of safetensors or a hub's model, or take preset lora"
        )
        raise ConfigError(msg)
    if find_spec("bitsandbytes") is None:
        msg = "a base in four bits needs `pip install 'codeloop[train,qlora]'`"
        raise MissingExtraError(msg)
    on_gpu = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if on_gpu else torch.float32,
    )


def load_tokenizer(origin: Origin) -> Any:
    """Load the tokenizer alone: no weights.

    Raises:
        ConfigError: there is no such model, or it would have to be fetched.
        DataError: it has no chat template, or the files are not what they should be.
    """
    try:
        tokenizer = _tokenizer(origin)
    except (OSError, ValueError, KeyError) as error:
        raise _not_loaded(origin, error) from error
    if not tokenizer.chat_template:
        msg = f"{origin.name}: it has no chat template, so nobody can say how it is spoken to"
        raise DataError(msg)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _tokenizer(origin: Origin) -> Any:
    if origin.gguf is None:
        where = str(origin.path or origin.name)
        return AutoTokenizer.from_pretrained(where, local_files_only=not origin.online)
    reader = GGUFReader(origin.gguf)
    if knows(reader):
        return read_tokenizer(reader)
    return AutoTokenizer.from_pretrained(str(origin.gguf.parent), gguf_file=origin.gguf.name)


def _not_loaded(origin: Origin, error: Exception) -> ConfigError | DataError:
    first = str(error).strip().partition("\n")[0]
    if origin.path is None and not origin.online:
        msg = f"{origin.name} is not here; --online fetches it from the hub ({first})"
        return ConfigError(msg)
    return DataError(f"{origin.path or origin.name}: cannot be loaded ({first})")


def load_trained(facts: Facts, folder: Path, *, online: bool = False) -> Loaded:
    """Load what a run trained; its origin is that of the run, so that it can be a template.

    Raises:
        ConfigError: the base is not here, or the run did not come to its end.
        DataError: the files are not what they should be.
    """
    if not folder.is_dir():
        msg = f"{folder.parent}: the run did not come to its end; start it again and it goes on"
        raise ConfigError(msg)
    path = Path(facts.base_path) if facts.base_path else None
    origin = Origin(facts.base, path, online)
    if not facts.adapter:
        trained = load_model(Origin(folder.name, folder))
        return Loaded(origin, trained.model, trained.tokenizer)
    dtype = torch.bfloat16 if facts.bf16 else torch.float32
    loaded = load_model(origin, dtype=dtype, four_bit=facts.four_bit)
    tokenizer = load_tokenizer(Origin(folder.name, folder))
    adapted = PeftModel.from_pretrained(loaded.model, str(folder))
    return Loaded(origin, plain(adapted), tokenizer)
