"""The families of models whose templates are tried, each with a tokenizer made of the texts."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from transformers import PreTrainedTokenizerFast

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Family:
    """What a family's prompts look like: what comes before a reply, and what ends it."""

    name: str
    header: str
    stop: str
    bos: str
    eos: str
    special: tuple[str, ...] = ()
    system: bool = True
    metaspace: bool = False  # SentencePiece's way with spaces, as Llama 2 has it
    digits: bool = False


FAMILIES = (
    Family("codellama-instruct", "[/INST]", "</s>", "<s>", "</s>", metaspace=True),
    Family(
        "deepseek-coder", "### Response:\n", "<|EOT|>", "<|begin|>", "<|EOT|>", digits=True
    ),
    Family(
        "starcoder2-instruct", "### Response\n", "<|endoftext|>", "<|endoftext|>",
        "<|endoftext|>", system=False, digits=True,
    ),
    Family(
        "qwen2.5-coder", "<|im_start|>assistant\n", "<|im_end|>", "<|endoftext|>", "<|im_end|>",
        ("<|im_start|>",), digits=True,
    ),
    Family(
        "smollm2", "<|im_start|>assistant\n", "<|im_end|>", "<|im_start|>", "<|im_end|>",
        digits=True,
    ),
)  # fmt: skip


def template(family: Family) -> str:
    return (TEMPLATES / f"{family.name}.jinja").read_text(encoding="utf-8")


def family_tokenizer(family: Family, texts: Iterable[str], *, size: int = 1000) -> Any:
    """Return a BPE tokenizer of a family's kind, trained on the texts."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=family.metaspace))
    special = [*dict.fromkeys([family.bos, family.eos, family.stop, *family.special])]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if family.metaspace:
        tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
        )
        alphabet = []
        special += [f"<0x{byte:02X}>" for byte in range(256)]
    else:
        level = pre_tokenizers.ByteLevel(add_prefix_space=False)
        digits = pre_tokenizers.Digits(individual_digits=True)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [digits, level] if family.digits else [level]
        )
        tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size + len(special), special_tokens=special, initial_alphabet=alphabet,
        show_progress=False, max_token_length=16,
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    named = [each for each in special if not each.startswith("<0x")]
    tokenizer.add_special_tokens([AddedToken(each, normalized=False) for each in named])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        chat_template=template(family),
        bos_token=family.bos,
        eos_token=family.eos,
        additional_special_tokens=[each for each in named if each not in {family.bos, family.eos}],
        clean_up_tokenization_spaces=False,
    )
