"""Rows packed into one sequence cost the same loss as rows by themselves."""

from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM
from trl.data_utils import pack_dataset
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling
from unit.train.dialogues import dialogues, sources
from unit.train.families import FAMILIES, family_tokenizer

from codeloop.train.rendering import from_dialogue
from codeloop.train.templates import training_template
from codeloop.train.tokens import IGNORED, TokenRow, tokenised

LENGTH = 2048


@pytest.fixture(scope="module")
def rows() -> list[TokenRow]:
    tokenizer = family_tokenizer(FAMILIES[-1], sources(50))
    given = (from_dialogue(each) for each in dialogues(8))
    found = list(tokenised(tokenizer, training_template(tokenizer), given))
    assert all(len(each.ids) <= LENGTH for each in found)
    return found


@pytest.fixture(scope="module")
def model() -> Any:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    config = LlamaConfig(vocab_size=1100, max_position_embeddings=LENGTH, **sizes, **heads)
    return LlamaForCausalLM(config).eval()


def loss_sum(model: Any, batch: dict[str, Any]) -> tuple[float, int]:
    """Return the summed loss of what is learned, and how many tokens that is."""
    kept = {key: batch[key] for key in ("input_ids", "position_ids") if key in batch}
    with torch.no_grad():
        logits = model(**kept, use_cache=False).logits[:, :-1].double()
    labels = batch["labels"][:, 1:]
    loss = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return float(loss), int((labels != IGNORED).sum())


def packed(rows: list[TokenRow]) -> list[dict[str, Any]]:
    """Return TRL's batches of the rows, packed by it and collated without padding."""
    data = Dataset.from_list([row.columns() for row in rows])
    together = pack_dataset(data, LENGTH, "bfd")
    assert len(together) < len(rows)
    collate = DataCollatorForLanguageModeling(0, padding_free=True)
    return [collate([each]) for each in together.to_list()]


def alone(model: Any, rows: list[TokenRow]) -> tuple[float, int]:
    losses = [
        loss_sum(model, {key: torch.tensor([value]) for key, value in row.columns().items()})
        for row in rows
    ]
    return sum(loss for loss, _ in losses), sum(count for _, count in losses)


def test_packed_rows_cost_the_same_loss_as_rows_by_themselves(
    model: Any, rows: list[TokenRow]
) -> None:
    single, tokens = alone(model, rows)
    batches = [loss_sum(model, batch) for batch in packed(rows)]
    assert tokens == sum(count for _, count in batches) == sum(row.learned for row in rows)
    assert abs(single - sum(loss for loss, _ in batches)) / tokens <= 1e-5


def test_without_the_places_of_packed_rows_the_loss_is_another(
    model: Any, rows: list[TokenRow]
) -> None:
    single, tokens = alone(model, rows)
    merged = [{key: batch[key] for key in ("input_ids", "labels")} for batch in packed(rows)]
    assert abs(single - sum(loss_sum(model, each)[0] for each in merged)) / tokens > 1e-4


def test_the_kind_of_each_token_is_packed_with_it(rows: list[TokenRow]) -> None:
    data = Dataset.from_list([row.columns() for row in rows])
    for each in pack_dataset(data, LENGTH, "bfd").to_list():
        assert [kind > 0 for kind in each["kinds"]] == [
            label != IGNORED for label in each["labels"]
        ]
