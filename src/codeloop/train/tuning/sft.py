"""Supervised fine-tuning: TRL's trainer on our rows, its loss told apart by kind of reply."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from peft import LoraConfig
from transformers.integrations import TensorBoardCallback
from trl import SFTConfig, SFTTrainer

from codeloop.core.errors import ConfigError
from codeloop.train.checking.report import check
from codeloop.train.config import Split, TrainConfig, passed_on, save_resolved
from codeloop.train.export.snapshot import snapshot
from codeloop.train.loading import Loaded, Origin, load_model, load_tokenizer
from codeloop.train.precision import base_dtype
from codeloop.train.presets import Preset, trl_defaults
from codeloop.train.rendering import Kind
from codeloop.train.runs import Facts, Method, RunFolder, leads, processes
from codeloop.train.shaping import cache_folder, shaping
from codeloop.train.tuning.amends import score_learned_alone, tell_nobody
from codeloop.train.tuning.callbacks import RunLog, TriedProblems
from codeloop.train.tuning.feeding import KindCollator, feed
from codeloop.train.tuning.solving import Solve
from codeloop.train.weights import plain

_KINDS = tuple(kind for kind in Kind if kind is not Kind.NONE)


@dataclass(frozen=True, slots=True)
class Trained:
    """A run that came to its end: its loaded model, and the last loss that was logged."""

    run: RunFolder
    loaded: Loaded
    loss: float | None


class KindTrainer(SFTTrainer):
    """TRL's trainer, which also says the loss of each kind of reply: `loss_code`, for example."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._sums = {mode: torch.zeros(len(_KINDS), 2) for mode in ("train", "eval")}
        self._outputs: Any = None
        self.model.register_forward_hook(self._seen)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        kinds = inputs.pop("kinds")
        loss = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        mode = "train" if self.model.training else "eval"
        losses = -self._outputs.log_probs.detach().float()  # 0 where nothing is learned
        kinds = kinds[:, 1:]
        parts = [(kinds == kind) & self._outputs.label_mask for kind in _KINDS]
        sums = torch.stack(
            [torch.stack([losses[part].sum(), part.sum().float()]) for part in parts]
        )
        self._outputs = None
        gathered = self.accelerator.gather(sums[None]).sum(0)
        self._sums[mode] += gathered.cpu()
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        mode = "train" if self.model.training else "eval"
        if mode == "train" and "loss" not in logs:
            super().log(logs, start_time)  # the end of a run, or problems that were tried
            return
        prefix = "" if mode == "train" else "eval_"
        for kind, (total, count) in zip(_KINDS, self._sums[mode].tolist(), strict=True):
            if count:
                logs[f"{prefix}loss_{kind.name.lower()}"] = total / count
        self._sums[mode].zero_()
        super().log(logs, start_time)

    def _seen(self, _module: Any, _inputs: Any, outputs: Any) -> None:
        self._outputs = outputs


def sft(
    config: TrainConfig,
    origin: Origin,
    *,
    solve: Solve | None = None,
    every: int = 0,
    resume: bool = True,
) -> Trained:
    """Train a model as a config says; a run that was broken off goes on where it can.

    `solve` tries held-out problems before, after, and `every` so many steps.

    Raises:
        ConfigError: a setting is wrong, or the folder holds another run.
        DataError: a file is not what it should be.
    """
    run = RunFolder(config.file(config.output))
    shaped = shaping(config, load_tokenizer(origin))
    with _first_alone():  # the others find the tokens that the first has made
        report = check(config, shaped, cache_folder(config))
    report.refuse()
    rows = feed(config, report, Split.TRAIN)
    loaded = load_base(config, origin)
    loaded.tokenizer.chat_template = shaped.template.inference  # what is saved is what is served
    facts = facts_of(Method.SFT, config, origin, report.data_hash, len(rows or ()))
    begin(run, config, facts)
    trainer = trainer_of(config, run, loaded, rows, feed(config, report, Split.EVAL))
    if solve is not None:
        trainer.add_callback(_tried(trainer, solve, run, loaded, every=every))
    return finished(trainer, run, loaded, resume=resume)


def load_base(config: TrainConfig, origin: Origin) -> Loaded:
    """Load the model that a config starts from, its weights held as suits the training.

    `model_init_kwargs` of its section `trl` are passed on to transformers.

    Raises:
        ConfigError: there is no such model, it would have to be fetched, or cannot be packed.
        DataError: the files are not what they should be.
    """
    four_bit = config.preset is Preset.QLORA
    options = config.trl.get("model_init_kwargs") or {}
    return load_model(origin, dtype=base_dtype(config), four_bit=four_bit, options=options)


def finished(trainer: Any, run: RunFolder, loaded: Loaded, *, resume: bool) -> Trained:
    """Have a trainer work to its end, from the last whole checkpoint if it may, and save."""
    checkpoint = run.last_checkpoint() if resume else None
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if trainer.is_fsdp_enabled:  # checkpoints are in shards, the model at the end is whole
        trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
    trainer.save_model(str(run.model))
    losses = [row["loss"] for row in run.logged() if "loss" in row]
    model = _bare(trainer)
    if processes() == 1:  # else each has but a part of it
        model = plain(model)
    last = losses[-1] if losses else None
    return Trained(run, Loaded(loaded.origin, model, loaded.tokenizer), last)


def begin(run: RunFolder, config: TrainConfig, facts: Facts) -> None:
    """Note in its folder what a run is, and all that was resolved for it.

    Raises:
        ConfigError: there is another run in the folder.
        DataError: it cannot be written.
    """
    run.start(facts)
    if leads():
        save_resolved(config, run.path, data_hash=facts.data_hash)


def facts_of(method: Method, config: TrainConfig, origin: Origin, digest: str, rows: int) -> Facts:
    """Return what a run is, to be noted in its folder."""
    path = "" if origin.path is None else str(origin.path.resolve())
    adapter, four_bit = config.peft is not None, config.preset is Preset.QLORA
    bf16 = base_dtype(config) is torch.bfloat16
    return Facts(method, origin.name, path, adapter, digest, rows, four_bit=four_bit, bf16=bf16)


def arguments(
    config: TrainConfig, kind: type[Any], run: RunFolder, given: Mapping[str, Any]
) -> Any:
    """Return the settings of one of TRL's trainers, of that kind.

    Raises:
        ConfigError: a key is not known, or a value is refused.
    """
    tell_nobody()
    own = trl_defaults(config.preset).keys() - {each.name for each in fields(kind)}
    known = {key: value for key, value in given.items() if key not in own}  # presets are of SFT
    values = passed_on(known, kind, f"{config.path}: trl")
    values.pop("model_init_kwargs", None)  # the model is there by now
    report = values.pop("report_to", "tensorboard")
    names = [report] if isinstance(report, str) else list(report or ())
    values["report_to"] = [each for each in names if each not in {"tensorboard", "none"}] or "none"
    if "gradient_checkpointing" in values:  # its old name, which users still know
        values["activation_checkpointing"] = values.pop("gradient_checkpointing")
    values.setdefault("use_cpu", not torch.cuda.is_available())
    values.setdefault("seed", config.seed)
    values.setdefault("disable_tqdm", True)
    try:
        return kind(output_dir=str(run.checkpoints), **values)
    except (TypeError, ValueError) as error:
        msg = f"{config.path}: trl: {str(error).strip().partition(chr(10))[0]}"
        raise ConfigError(msg) from error


def callbacks(config: TrainConfig, run: RunFolder) -> list[Any]:
    """Return what logs a run: into its log, and for TensorBoard if the config does not say no."""
    report = config.trl.get("report_to", "tensorboard")
    found: list[Any] = [RunLog(run)]
    if "tensorboard" in ([report] if isinstance(report, str) else report or ()):
        board = TensorBoardCallback()
        board.logging_dir = str(run.path / "tensorboard")
        found.append(board)
    return found


def adapter_of(config: TrainConfig) -> Any:
    """Return the adapter that a config asks for, None if all weights are trained.

    Raises:
        ConfigError: a key is not known, or a value is refused.
    """
    if config.peft is None:
        return None
    values = passed_on(config.peft, LoraConfig, f"{config.path}: peft")
    try:
        return LoraConfig(**{"task_type": "CAUSAL_LM", **values})
    except (TypeError, ValueError) as error:
        msg = f"{config.path}: peft: {error}"
        raise ConfigError(msg) from error


def trainer_of(
    config: TrainConfig, run: RunFolder, loaded: Loaded, rows: Any, held: Any
) -> KindTrainer:
    """Return what trains a model on an epoch of rows, and tells the loss on held-out ones.

    Raises:
        ConfigError: a key is not known, or a value is refused.
    """
    score_learned_alone()
    fixed = {
        "remove_unused_columns": False,  # the kinds
        "dataset_kwargs": {"skip_prepare_dataset": True},
    }
    args = arguments(config, SFTConfig, run, {**config.trl, **fixed})
    model = loaded.model
    if args.activation_checkpointing and config.peft is not None:
        model.enable_input_require_grads()
    trainer = KindTrainer(
        model=model,
        args=args,
        train_dataset=rows,
        eval_dataset=held,
        processing_class=loaded.tokenizer,
        callbacks=callbacks(config, run),
        peft_config=adapter_of(config),
    )
    trainer.data_collator = KindCollator(**vars(trainer.data_collator))  # as TRL made its own
    return trainer


def _tried(
    trainer: KindTrainer, solve: Solve, run: RunFolder, loaded: Loaded, *, every: int
) -> TriedProblems:
    def save(folder: Path) -> None:
        snapshot(folder, trainer.accelerator.unwrap_model(trainer.model), loaded)

    return TriedProblems(solve, save, trainer.log, run.path / "tried", every=every)


def _bare(trainer: Any) -> Any:
    """Return a trainer's model without what casts its numbers: they are compared as they are."""
    return trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)


def _first_alone() -> Any:
    """Return a block that the first of several processes goes through before the others."""
    return PartialState(cpu=not torch.cuda.is_available()).main_process_first()
