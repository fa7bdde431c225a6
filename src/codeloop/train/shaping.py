"""All that decides which tokens a row becomes, under one key."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from codeloop.core.errors import ConfigError
from codeloop.train.config import Mask, TrainConfig
from codeloop.train.templates import Template, training_template

VERSION = 1  # goes up when rows become other tokens, or other facts


@dataclass(frozen=True, slots=True)
class Shaping:
    """How rows become tokens. It can be sent to another process."""

    tokenizer: Any
    template: Template
    mask: Mask
    max_length: int

    @property
    def key(self) -> str:
        """What is the same for the same tokens, and for no others."""
        parts = [
            str(VERSION),
            *(metadata.version(name) for name in ("transformers", "tokenizers")),
            self.tokenizer.backend_tokenizer.to_str(),
            *(f"{name}={value}" for name, value in self.tokenizer.special_tokens_map.items()),
            self.template.inference,
            self.template.training,
            self.template.stop,
            self.mask.value,
            str(self.max_length),
        ]
        return digest("\0".join(parts).encode())


def shaping(config: TrainConfig, tokenizer: Any) -> Shaping:
    """Return how a config's rows become tokens.

    Raises:
        ConfigError: the chat template cannot be made trainable, or its file cannot be read.
    """
    source = None
    if config.template:
        path = config.file(config.template)
        try:
            source = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            msg = f"{config.path}: template: {path} cannot be read ({error})"
            raise ConfigError(msg) from error
    template = training_template(tokenizer, source)
    return Shaping(tokenizer, template, config.mask, config.max_length)


def cache_folder(config: TrainConfig, env: Mapping[str, str] = os.environ) -> Path:
    """Return where tokenised rows are kept: as the config says, else with other caches."""
    if config.cache:
        return config.file(config.cache)
    home = env.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "codeloop" / "rows"


def digest(data: bytes) -> str:
    """Return the BLAKE2b-128 of bytes in hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()
