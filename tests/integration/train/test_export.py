"""What a run leaves, read by the engine that serves it: numbers compared, not shapes."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGUFReader
from peft import LoraConfig, get_peft_model
from tiny import snippets, tiny_folder, tiny_model, tiny_tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from codeloop.core.errors import DataError
from codeloop.models.catalogue import entry
from codeloop.models.local import LocalModel, LocalSettings
from codeloop.models.pull import pull
from codeloop.train.export.adapter import write_adapter
from codeloop.train.export.fidelity import TIE, Fidelity, compare
from codeloop.train.export.merged import Precision, write_merged
from codeloop.train.loading import Origin, load_model, load_tokenizer
from codeloop.train.vocabulary import PRE_TOKENIZERS

pytestmark = [
    pytest.mark.xdist_group("engine"),
    pytest.mark.filterwarnings("ignore::UserWarning:peft"),
    pytest.mark.filterwarnings("ignore::FutureWarning:transformers"),
]

TEXTS = snippets(40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("tiny"), TEXTS)


@pytest.fixture(scope="module")
def gguf(folder: Path) -> Path:
    base = load_model(Origin("tiny", folder))
    path = folder / "tiny-f16.gguf"
    write_merged(path, base.model, base.tokenizer, base.origin, precision=Precision.F16, name="t")
    return path


@pytest.fixture
def serve() -> Iterator[Callable[..., LocalModel]]:
    opened = []

    def start(path: Path, adapter: Path | None = None) -> LocalModel:
        settings = LocalSettings(512, threads=1, adapter=adapter)
        opened.append(LocalModel(path, settings=settings))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def fidelity(model: Any, engine: LocalModel, tokenizer: Any) -> Fidelity:
    texts = [tokenizer(text[:400])["input_ids"] for text in snippets(2, seed=9)]
    size = model.config.vocab_size
    return compare(
        model, lambda tokens: engine.next_logprobs(tokens, vocabulary=size), texts, positions=24
    )


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_a_model_from_scratch_says_the_same_in_the_engine(
    kind: str, tmp_path: Path, serve: Callable[..., LocalModel]
) -> None:
    tokenizer = tiny_tokenizer(TEXTS, pre="qwen2" if kind == "qwen2" else "smollm")
    model = tiny_model(tokenizer, kind=kind)
    path = tmp_path / "model.gguf"
    write_merged(path, model, tokenizer, Origin("x"), precision=Precision.F16, name="tiny")
    fidelity(model, serve(path), tokenizer).check(kind)


def test_another_model_is_told_from_the_one_that_was_trained(
    folder: Path, gguf: Path, serve: Callable[..., LocalModel]
) -> None:
    other = tiny_model(load_tokenizer(Origin("tiny", folder)), seed=1)
    found = fidelity(other, serve(gguf), load_tokenizer(Origin("tiny", folder)))
    with pytest.raises(DataError, match="not what was trained"):
        found.check("another")


def test_a_gguf_file_that_was_loaded_can_be_saved_and_is_the_template_of_the_next(
    folder: Path, gguf: Path, tmp_path: Path, serve: Callable[..., LocalModel]
) -> None:
    base = load_model(Origin("tiny", gguf))
    base.model.save_pretrained(tmp_path / "saved")  # quantised weights would refuse
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "saved")
    first = load_model(Origin("tiny", folder)).model.state_dict()
    for name, values in again.state_dict().items():
        assert torch.allclose(values, first[name], atol=1e-3), name
    path = tmp_path / "again.gguf"
    write_merged(path, base.model, base.tokenizer, base.origin, precision=Precision.F16, name="n")
    was, is_now = GGUFReader(gguf), GGUFReader(path)
    changed = {"general.name"}
    assert {key for key in was.fields if key not in is_now.fields} == set()
    assert all(
        was.fields[key].contents() == is_now.fields[key].contents()
        for key in was.fields
        if key not in changed
    )
    fidelity(base.model, serve(path), base.tokenizer).check("again")


def test_eight_bits_say_nearly_the_same(
    folder: Path, tmp_path: Path, serve: Callable[..., LocalModel]
) -> None:
    base = load_model(Origin("tiny", folder))
    path = tmp_path / "q8.gguf"
    write_merged(path, base.model, base.tokenizer, base.origin, precision=Precision.Q8_0, name="q")
    assert path.stat().st_size < 0.8 * (folder / "model.safetensors").stat().st_size
    assert fidelity(base.model, serve(path), base.tokenizer).kl < 0.05


@pytest.mark.parametrize("rslora", [False, True])
def test_an_adapter_on_the_base_says_what_the_merged_model_says(
    rslora: bool, folder: Path, gguf: Path, tmp_path: Path, serve: Callable[..., LocalModel]
) -> None:
    base = load_model(Origin("tiny", folder))
    settings = LoraConfig(
        r=4, lora_alpha=8, target_modules="all-linear", use_rslora=rslora, task_type="CAUSAL_LM"
    )
    model = get_peft_model(base.model, settings).eval()
    torch.manual_seed(3)
    for name, values in model.named_parameters():
        if "lora_B" in name:
            values.data.normal_(0, 0.5)
    model.save_pretrained(tmp_path)
    adapter, merged = tmp_path / "adapter.gguf", tmp_path / "merged.gguf"
    write_adapter(adapter, tmp_path, base.model.config, name="adapter")
    put_on = fidelity(model, serve(gguf, adapter), base.tokenizer)
    plain = model.merge_and_unload()
    write_merged(merged, plain, base.tokenizer, base.origin, precision=Precision.F16, name="merged")
    into = fidelity(plain, serve(merged), base.tokenizer)
    into.check("merged")
    put_on.check("adapter")
    assert put_on.kl <= 2 * into.kl + 1e-7
    assert fidelity(plain, serve(gguf), base.tokenizer).kl > 1e-3  # the base without it


def test_what_is_no_plain_adapter_is_refused(folder: Path, tmp_path: Path) -> None:
    base = load_model(Origin("tiny", folder))
    settings = LoraConfig(r=4, target_modules=["q_proj"], use_dora=True, task_type="CAUSAL_LM")
    get_peft_model(base.model, settings).save_pretrained(tmp_path)
    with pytest.raises(DataError, match="no plain LoRA weight"):
        write_adapter(tmp_path / "a.gguf", tmp_path, base.model.config, name="a")
    assert not (tmp_path / "a.gguf").exists()
    assert json.loads((tmp_path / "adapter_config.json").read_text())["use_dora"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose vocabulary has numbers, and whose pre-tokenizer takes them digit by digit."""
    tokenizer = tiny_tokenizer([*TEXTS, "123 456 1234 3.14159 " * 500], pre="gpt-2")
    tokenizer.backend_tokenizer.pre_tokenizer = PRE_TOKENIZERS["smollm"]()
    path = tmp_path_factory.mktemp("digits") / "digits.gguf"
    model = tiny_model(tokenizer)
    write_merged(path, model, tokenizer, Origin("x"), precision=Precision.F16, name="digits")
    return path


NUMBERS = [*snippets(60, seed=4, length=300), "x123456 = 3.14159  # äöü €\n\n\n\tif 1234"]


def test_a_tokenizer_from_a_gguf_file_is_the_engines(
    digits: Path, serve: Callable[..., LocalModel]
) -> None:
    ours, engine = load_tokenizer(Origin("digits", digits)), serve(digits)
    for text in NUMBERS:
        assert ours(text)["input_ids"] == engine.tokens(text)


def test_the_tokenizer_that_transformers_makes_of_the_file_is_not(
    digits: Path, serve: Callable[..., LocalModel]
) -> None:
    theirs = AutoTokenizer.from_pretrained(digits.parent, gguf_file=digits.name)
    engine = serve(digits)
    assert any(theirs(text)["input_ids"] != engine.tokens(text) for text in NUMBERS)


@pytest.mark.model
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["smollm2-135m", "qwen2.5-coder-0.5b"])
def test_no_token_of_400_real_snippets_differs_from_the_engines(
    name: str, serve: Callable[..., LocalModel]
) -> None:
    path = pull(entry(name))
    ours, engine = load_tokenizer(Origin(name, path)), serve(path)
    differing = [t for t in snippets(400) if ours(t)["input_ids"] != engine.tokens(t)]
    assert not differing


def test_two_tokens_that_are_as_likely_are_not_told_apart(folder: Path) -> None:
    model = load_model(Origin("tiny", folder)).model
    tokens = list(range(3, 30))
    with torch.no_grad():
        said = torch.log_softmax(model(input_ids=torch.tensor([tokens])).logits[0].double(), -1)

    def off_by(nats: float) -> Fidelity:
        def engine(before: Sequence[int]) -> list[float]:
            row = said[len(before) - 1].clone()
            first, second = row.topk(2).indices
            row[second] = row[first] + 1e-9 if row[first] - row[second] < nats else row[second]
            return list(row.tolist())

        return compare(model, engine, [tokens])

    assert off_by(TIE).top1 == 1.0
    assert off_by(10.0).top1 < 1.0
