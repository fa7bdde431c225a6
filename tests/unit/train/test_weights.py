"""The weights of a model with its adapter added."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from codeloop.train.weights import Merged

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")

_NAME = "model.layers.0.mlp.up_proj.weight"


def test_an_adapter_in_bf16_is_added_in_fp32() -> None:
    """TRL keeps the adapter of a base in four bits so; in bf16 their product is rounded again."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=8,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    base = LlamaForCausalLM(config)
    before = base.state_dict()[_NAME].clone()
    settings = LoraConfig(r=4, lora_alpha=8, target_modules=["up_proj"], init_lora_weights=False)
    adapted = get_peft_model(base, settings)
    parts = [each for name, each in adapted.named_parameters() if ".lora_" in name]
    for each in parts:
        each.data = each.data.bfloat16()
    down, up = (each.data.float() for each in parts)
    merged = Merged(adapted).state_dict()[_NAME]
    assert torch.allclose(merged, before + 2.0 * up @ down, atol=1e-6)
    assert all(each.dtype == torch.bfloat16 for each in parts)
