"""Reinforcement learning: TRL's GRPO with the loop as rollout and the judge as reward."""

import hashlib
from collections.abc import Sequence
from typing import Any

from datasets import Dataset
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from codeloop.core.errors import ConfigError
from codeloop.core.protocols import Session
from codeloop.judge.many import RigPool
from codeloop.train.config import TrainConfig
from codeloop.train.loading import Origin
from codeloop.train.presets import trl_defaults
from codeloop.train.runs import Method, RunFolder
from codeloop.train.tuning.playing import Task
from codeloop.train.tuning.rollouts import RolloutSettings, rollout_function, solution_reward
from codeloop.train.tuning.sft import (
    Trained,
    adapter_of,
    arguments,
    begin,
    callbacks,
    facts_of,
    finished,
    load_base,
)

ALIKE = 0.95  # of the groups have one reward each: there is nothing to learn
PATIENCE = 10  # logged steps in a row


class NothingToLearn(TrainerCallback):
    """Stops a run in which the solutions of each group are all rewarded alike, step after step."""

    def __init__(self, patience: int = PATIENCE) -> None:
        self._patience = patience
        self._alike = 0

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        share = (logs or {}).get("frac_reward_zero_std")
        if share is None:
            return
        self._alike = self._alike + 1 if float(share) >= ALIKE else 0
        if self._alike >= self._patience:
            msg = (
                f"step {state.global_step}: for {self._alike} logged steps all solutions of nearly "
                "every group had the same reward, so nothing is learned: start from a model that "
                "was fine-tuned, take problems that it solves at times (10 to 90 %), or raise the "
                "temperature"
            )
            raise ConfigError(msg)


def grpo(  # noqa: PLR0913  what is trained, on what, and with whom
    config: TrainConfig,
    origin: Origin,
    tasks: Sequence[Task],
    pool: RigPool,
    session: Session,
    *,
    settings: RolloutSettings = RolloutSettings(),
    resume: bool = True,
) -> Trained:
    """Train a model by what its solutions are worth.

    The judge tries each turn's solution by the visible tests, which is what the model is told,
    and the last one by all tests, which is what it is rewarded for.

    Raises:
        ConfigError: a setting is wrong, the folder holds another run, or nothing is learned.
        SandboxError: our side failed.
    """
    run = RunFolder(config.file(config.output))
    if not tasks:
        msg = f"{config.path}: no problem to train on"
        raise ConfigError(msg)
    loaded = load_base(config, origin)
    digest = hashlib.blake2b(repr([task.prompt for task in tasks]).encode(), digest_size=16)
    begin(run, config, facts_of(Method.GRPO, config, origin, digest.hexdigest(), len(tasks)))
    given = {**config.trl, "remove_unused_columns": False}
    if given.get("logging_steps") == trl_defaults(config.preset)["logging_steps"]:
        given["logging_steps"] = 1  # steps are long, and each says whether anything is learned
    trainer = GRPOTrainer(
        model=loaded.model,
        reward_funcs=solution_reward,
        args=arguments(config, GRPOConfig, run, given),
        train_dataset=Dataset.from_list([{"prompt": task.prompt} for task in tasks]),
        processing_class=loaded.tokenizer,
        callbacks=[*callbacks(config, run), NothingToLearn()],
        rollout_func=rollout_function(tasks, pool, session, settings),
        peft_config=adapter_of(config),
    )
    return finished(trainer, run, loaded, resume=resume)
