"""The forms in which a run is given on: each written, then compared with what was trained."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from codeloop.core.errors import DataError
from codeloop.train.export.fidelity import Fidelity, NextLogprobs, compare
from codeloop.train.export.merged import Precision, write_merged
from codeloop.train.export.snapshot import ADAPTER, MERGED, snapshot
from codeloop.train.loading import Loaded, Origin, load_model
from codeloop.train.runs import RunFolder
from codeloop.train.weights import Merged, is_adapter

SAFETENSORS = "merged"

OpenEngine = Callable[[Path, int], AbstractContextManager[NextLogprobs]]
"""Serves what a folder says, for a vocabulary of that size."""

# Short and plain, with code and digits: what the model says next is compared along them.
PROBES = (
    "Write a function that adds 17 to each number of a list, and show what it gives.",
    """def mean(values):
    total = 0
    for each in values:
        total += each
    return total / len(values)

print(mean([1, 2, 3, 40]))
""",
)


class Form(StrEnum):
    """What is written of a run."""

    SERVED = "served"  # what the engine in this process needs: an adapter, or a whole model
    MERGED = "merged"  # safetensors with the tokenizer, for vLLM and others
    F16 = "f16"  # a whole GGUF file
    Q8_0 = "q8_0"  # the same, in eight bits


@dataclass(frozen=True, slots=True)
class Written:
    """A form that was written: where, how near it is, and what it was compared on."""

    form: Form
    path: Path
    fidelity: Fidelity | None
    served: Fidelity | None = None  # of an adapter, on the base as it is: quantised, perhaps


def write(run: Path, loaded: Loaded, form: Form, engine: OpenEngine | None) -> Written:
    """Write a form into the folder of a run; `engine` serves it for the comparison.

    What is not quantised has to say what the model says, or it is not called done: without an
    engine nothing is compared but `merged`.

    Raises:
        DataError: it cannot be written, or does not say what was trained.
    """
    loaded.model.eval()
    match form:
        case Form.SERVED:
            return _served(run, loaded, engine)
        case Form.MERGED:
            return _safetensors(run, loaded)
        case Form.F16 | Form.Q8_0:
            return _whole(run, loaded, form, engine)


def probe_texts(tokenizer: Any) -> list[list[int]]:
    """Return the token sequences along which files are compared with models."""
    return [tokenizer(text, add_special_tokens=False)["input_ids"] for text in PROBES]


def _served(run: Path, loaded: Loaded, engine: OpenEngine | None) -> Written:
    path = snapshot(run, loaded.model, loaded, name=run.resolve().name)
    if engine is None:
        return Written(Form.SERVED, path, None)
    if path.name != ADAPTER:
        return Written(Form.SERVED, path, _exact(run, loaded, engine))
    # numbers tell an adapter's faults only where the base has the weights that were trained on
    with TemporaryDirectory(dir=run, prefix="check-") as name:
        folder = Path(name)
        base = folder / "base.gguf"
        plain = Merged(loaded.model, with_adapter=False)
        _gguf(base, plain, loaded, Precision.F16)
        (folder / ADAPTER).symlink_to(path.resolve())
        RunFolder(folder).serve(base=base.name, adapter=ADAPTER)
        exact = _exact(folder, loaded, engine)
    return Written(Form.SERVED, path, exact, _compared(run, loaded, engine))


def _whole(run: Path, loaded: Loaded, form: Form, engine: OpenEngine | None) -> Written:
    precision = Precision(form.value)
    path = run / MERGED.format(precision=precision.value)
    plain = Merged(loaded.model) if is_adapter(loaded.model) else loaded.model
    _gguf(path, plain, loaded, precision)
    if engine is None:
        return Written(form, path, None)
    with TemporaryDirectory(dir=run, prefix="check-") as folder:
        RunFolder(Path(folder)).serve(base=str(path.resolve()), adapter=None)
        check = _exact if form is Form.F16 else _compared
        return Written(form, path, check(Path(folder), loaded, engine))


def _safetensors(run: Path, loaded: Loaded) -> Written:
    path = run / SAFETENSORS
    if is_adapter(loaded.model):
        weights = Merged(loaded.model).state_dict()
        loaded.model.get_base_model().save_pretrained(path, state_dict=weights)
    else:
        loaded.model.save_pretrained(path)
    loaded.tokenizer.save_pretrained(path)
    again = load_model(Origin(path.name, path))
    found = compare(loaded.model, _as_engine(again.model), probe_texts(again.tokenizer))
    found.check(str(path))
    if again.tokenizer.chat_template != loaded.tokenizer.chat_template:
        msg = f"{path}: the chat template is not the one that was trained for"
        raise DataError(msg)
    return Written(Form.MERGED, path, found)


def _gguf(path: Path, model: Any, loaded: Loaded, precision: Precision) -> None:
    name = path.resolve().parent.name
    write_merged(path, model, loaded.tokenizer, loaded.origin, precision=precision, name=name)


def _exact(folder: Path, loaded: Loaded, engine: OpenEngine) -> Fidelity:
    found = _compared(folder, loaded, engine)
    found.check(str(folder))
    return found


def _compared(folder: Path, loaded: Loaded, engine: OpenEngine) -> Fidelity:
    with engine(folder, loaded.model.config.vocab_size) as next_logprobs:
        return compare(loaded.model, next_logprobs, probe_texts(loaded.tokenizer))


def _as_engine(model: Any) -> NextLogprobs:
    def next_logprobs(tokens: Sequence[int]) -> Sequence[float]:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([list(tokens)])).logits[0, -1]
        return torch.log_softmax(logits.double(), dim=-1).tolist()  # type: ignore[no-any-return]

    return next_logprobs
