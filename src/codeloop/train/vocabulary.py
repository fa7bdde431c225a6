"""Byte-level BPE tokenizers as GGUF files hold them: read from one, and written into one.

A GGUF file names its pre-tokenizer (`tokenizer.ggml.pre`); llama.cpp holds what the name stands
for. Readers that pass over the name make a tokenizer that differs in digits alone, say, and the
model then learns texts that it is never shown.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from gguf import GGUFReader, TokenType
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from codeloop.core.errors import DataError

_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def _split(*patterns: str) -> Any:
    """Return a pre-tokenizer that isolates what each pattern matches, one after the other."""
    parts = [pre_tokenizers.Split(Regex(each), "isolated") for each in patterns]
    return pre_tokenizers.Sequence([*parts, _bytes(words=False)])


def _bytes(*, words: bool = True) -> Any:
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=words)


def _digits() -> Any:
    digits = pre_tokenizers.Digits(individual_digits=True)
    return pre_tokenizers.Sequence([digits, _bytes()])


# The patterns that llama.cpp has for each name (src/llama-vocab.cpp, llm_tokenizer_bpe).
PRE_TOKENIZERS: Mapping[str, Callable[[], Any]] = {
    "gpt-2": _bytes,
    "smollm": _digits,
    "starcoder": _digits,
    "refact": _digits,
    "qwen2": lambda: _split(_WORDS + r"|\p{N}" + _REST),
    "llama-bpe": lambda: _split(_WORDS + r"|\p{N}{1,3}" + _REST),
    "deepseek-coder": lambda: _split(
        r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", r"\p{N}"
    ),
}
_WHOLE_WORDS = frozenset({"llama-bpe"})  # a word of the vocabulary is taken before any merge
_NAMED = {"bos": "bos_token", "eos": "eos_token", "padding": "pad_token", "unknown": "unk_token"}


def knows(reader: GGUFReader) -> bool:
    """Return whether this file's tokenizer is one that can be read here."""
    pre = value(reader, "tokenizer.ggml.pre", "gpt-2")
    return value(reader, "tokenizer.ggml.model") == "gpt2" and pre in PRE_TOKENIZERS


def value(reader: GGUFReader, key: str, default: Any = None) -> Any:
    """Return a value of a GGUF file's metadata."""
    field = reader.get_field(key)
    return default if field is None else field.contents()


def read_tokenizer(reader: GGUFReader) -> PreTrainedTokenizerFast:
    """Return the tokenizer of a GGUF file with its chat template; token for token the engine's.

    Raises:
        DataError: it is of a kind that is not known here.
    """
    if not knows(reader):
        kind, pre = value(reader, "tokenizer.ggml.model"), value(reader, "tokenizer.ggml.pre")
        msg = f"a tokenizer of kind {kind}, {pre}: known are {', '.join(PRE_TOKENIZERS)} of gpt2"
        raise DataError(msg)
    pre = value(reader, "tokenizer.ggml.pre", "gpt-2")
    tokens = value(reader, "tokenizer.ggml.tokens")
    merges = [tuple(each.split(" ", 1)) for each in value(reader, "tokenizer.ggml.merges")]
    vocabulary = {token: at for at, token in enumerate(tokens)}
    bpe = models.BPE(vocabulary, merges, ignore_merges=pre in _WHOLE_WORDS)
    tokenizer = byte_level(bpe, pre)
    kinds = value(reader, "tokenizer.ggml.token_type", [TokenType.NORMAL] * len(tokens))
    for token, kind in zip(tokens, kinds, strict=True):
        if kind in {TokenType.CONTROL, TokenType.UNKNOWN}:
            tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True)])
        elif kind == TokenType.USER_DEFINED:
            tokenizer.add_tokens([AddedToken(token, normalized=False)])
    ids = {name: value(reader, f"tokenizer.ggml.{key}_token_id") for key, name in _NAMED.items()}
    named = {name: tokens[at] for name, at in ids.items() if at is not None}
    if value(reader, "tokenizer.ggml.add_bos_token", default=False):
        _put_before(tokenizer, named["bos_token"])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        chat_template=value(reader, "tokenizer.chat_template"),
        clean_up_tokenization_spaces=False,
        **named,
    )


def byte_level(bpe: models.BPE, pre: str) -> Tokenizer:
    """Return a tokenizer of a model and the pre-tokenizer of that name."""
    tokenizer = Tokenizer(bpe)
    tokenizer.pre_tokenizer = PRE_TOKENIZERS[pre]()
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def vocabulary_fields(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Return the metadata by which a GGUF file holds a tokenizer, its chat template included.

    Raises:
        DataError: it is no byte-level BPE with a pre-tokenizer that llama.cpp has a name for.
    """
    whole = json.loads(tokenizer.backend_tokenizer.to_str())
    pre = _name_of(whole)
    size = len(tokenizer)
    tokens, kinds = [f"[UNUSED{at}]" for at in range(size)], [TokenType.UNUSED] * size
    for token, at in whole["model"]["vocab"].items():
        tokens[at], kinds[at] = token, TokenType.NORMAL
    for added in whole["added_tokens"]:
        kind = TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED
        tokens[added["id"]], kinds[added["id"]] = added["content"], kind
    merges = whole["model"]["merges"]
    fields = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [int(kind) for kind in kinds],
        "tokenizer.ggml.merges": [m if isinstance(m, str) else " ".join(m) for m in merges],
        "tokenizer.ggml.add_bos_token": False,
    }
    for key, name in _NAMED.items():
        at = getattr(tokenizer, f"{name}_id")
        if at is not None:
            fields[f"tokenizer.ggml.{key}_token_id"] = int(at)
    if tokenizer.chat_template:
        fields["tokenizer.chat_template"] = tokenizer.chat_template
    return fields


def _name_of(whole: Mapping[str, Any]) -> str:
    """Return the name that llama.cpp has for a tokenizer's pre-tokenizer."""
    kind, normalizer = whole["model"]["type"], whole["normalizer"]
    form = _plain(whole["pre_tokenizer"])
    for name, make in PRE_TOKENIZERS.items():
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = make()
        known = json.loads(tokenizer.to_str())["pre_tokenizer"]
        if kind == "BPE" and _plain(known) == form and _harmless(normalizer):
            return name
    msg = "its tokenizer is none that can be written as GGUF here: use llama.cpp's own converter"
    raise DataError(msg)


def _plain(pre_tokenizer: Any) -> Any:
    """Return a pre-tokenizer without what changes offsets alone."""
    match pre_tokenizer:
        case dict():
            left_out = {"trim_offsets"}
            return {k: _plain(v) for k, v in pre_tokenizer.items() if k not in left_out}
        case list():
            return [_plain(each) for each in pre_tokenizer]
        case _:
            return pre_tokenizer


def _harmless(normalizer: Any) -> bool:
    """Return whether a normalizer is none, or the NFC that llama.cpp leaves out as well."""
    return normalizer is None or normalizer.get("type") == "NFC"


def _put_before(tokenizer: Tokenizer, bos: str) -> None:
    pieces = f"{bos} $A", f"{bos} $A $B:1"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=pieces[0], pair=pieces[1], special_tokens=[(bos, tokenizer.token_to_id(bos))]
    )
