"""A language model from scratch, small enough to train in a test, with its own vocabulary.

A big vocabulary on a small body would be all loss head, and would measure nothing else.
"""

import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from codeloop.core.dialogue import Cell, Dialogue, Feedback, Source, Turn
from codeloop.core.execution import ExecutionResult, GuestError, Output, Status
from codeloop.train.vocabulary import byte_level

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def tiny_tokenizer(
    texts: Iterable[str], *, pre: str = "smollm", size: int = 600
) -> PreTrainedTokenizerFast:
    """Return a tokenizer whose vocabulary is made of the texts."""
    tokenizer = byte_level(models.BPE(), pre)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(each, normalized=False) for each in SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        chat_template=TEMPLATE,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
    )


def tiny_model(tokenizer: Any, *, kind: str = "llama", seed: int = 0, width: int = 64) -> Any:
    """Return a model with random weights: two layers, grouped heads, tied embeddings."""
    torch.manual_seed(seed)
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": width,
        "intermediate_size": width * 2,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if kind == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(**sizes)).eval()
    return LlamaForCausalLM(LlamaConfig(**sizes)).eval()


def tiny_folder(folder: Path, texts: Iterable[str], *, width: int = 64) -> Path:
    """Save a tiny model and its tokenizer as a folder that can be trained from."""
    tokenizer = tiny_tokenizer(texts)
    tiny_model(tokenizer, width=width).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def snippets(count: int, *, seed: int = 0, length: int = 2000) -> list[str]:
    """Return pieces of the standard library's sources: real Python, with digits and non-ASCII."""
    library = Path(random.__file__).parent
    paths = sorted(library.glob("*.py")) + sorted(library.glob("[a-m]*/*.py"))
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in paths]
    texts = [text for text in texts if len(text) > length]
    draw = random.Random(seed)
    pieces = []
    for _ in range(count):
        text = draw.choice(texts)
        start = draw.randrange(len(text) - length)
        pieces.append(text[start : start + length])
    return pieces


def practice(count: int) -> list[Dialogue]:
    """Return dialogues that a tiny model can learn: a name is wrong, and is mended."""
    names = ("total", "price", "count", "width", "depth")
    found = []
    for at in range(count):
        name, number = names[at % len(names)], at % 7 + 2
        wrong = f"{name} = {number}\nprint({name[:-1]} * 2)\n"
        right = f"{name} = {number}\nprint({name} * 2)\n"
        error = GuestError("NameError", f"name '{name[:-1]}' is not defined")
        failed = ExecutionResult(Status.ERROR, error=error)
        told = (Feedback(Source.EXECUTION),)
        dialogue = Dialogue.ask(f"Print twice the {name}, which is {number}.")
        dialogue = replace(dialogue, id=f"practice-{at}")
        dialogue = dialogue.with_turn(
            Turn(f"```python\n{wrong}```", (Cell("python", wrong, failed),), told)
        )
        ran = ExecutionResult(Status.OK, Output(f"{2 * number}\n"))
        dialogue = dialogue.with_turn(
            Turn(f"The name was cut.\n\n```python\n{right}```", (Cell("python", right, ran),), told)
        )
        found.append(dialogue.with_turn(Turn(f"Twice the {name} is {2 * number}.")))
    return found
