"""Whether a machine is asked to compute in numbers that it is slow at."""

from pathlib import Path

import pytest
import torch

from codeloop.train.config import DataSettings, TrainConfig
from codeloop.train.precision import fitted, quick_bf16


@pytest.mark.parametrize("quick", [True, False])
def test_bf16_is_left_where_it_would_be_slow(
    monkeypatch: pytest.MonkeyPatch, *, quick: bool
) -> None:
    monkeypatch.setattr("codeloop.train.precision.quick_bf16", lambda: quick)
    config = TrainConfig("m", (DataSettings("d"),), trl={"bf16": True, "seed": 1}, path=Path("c"))
    assert fitted(config).trl == {"bf16": quick, "seed": 1}
    plain = TrainConfig("m", (DataSettings("d"),), trl={"seed": 1})
    assert fitted(plain) is plain


def test_a_card_is_asked_before_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for answer in (True, False):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda answer=answer: answer)
        assert quick_bf16() is answer
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert isinstance(quick_bf16(), bool)
