"""The loop as a rollout: which tokens are the policy's, and what its solutions are worth."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny import practice, snippets, tiny_folder, tiny_tokenizer

from codeloop.core.dialogue import Message, Role
from codeloop.core.errors import ConfigError, ModelError
from codeloop.core.problem import CheckTests, Problem
from codeloop.evals.run import NoSession
from codeloop.judge.many import RigPool
from codeloop.judge.programs import rig_programs
from codeloop.loop.prompts import render
from codeloop.sandbox import open_sandbox
from codeloop.train.config import read_config
from codeloop.train.loading import Origin
from codeloop.train.runs import RunFolder
from codeloop.train.tuning.grpo import NothingToLearn, grpo
from codeloop.train.tuning.playing import Task
from codeloop.train.tuning.rollouts import Rollout, RolloutSettings, roll_out

pytestmark = [
    pytest.mark.jail,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

RIGHT = "```python\ndef add(a, b):\n    return a + b\n```"
WRONG = "```python\ndef add(a, b):\n    return a - b\n```"
CHEAT = "```python\ndef add(a, b):\n    return 3\n```"


@pytest.fixture(scope="module")
def pool() -> Iterator[RigPool]:
    with (
        open_sandbox() as sandbox,
        RigPool(lambda: sandbox.open_rig(rig_programs()), 1) as opened,
    ):
        yield opened


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return tiny_tokenizer(snippets(20))


def task(number: int) -> Task:
    shown = CheckTests("assert add(1, 2) == 3")
    hidden = CheckTests("assert add(2, 2) == 4")
    prompt = f"Number {number}: write add(a, b)."
    problem = Problem(f"p{number}", prompt, (shown,), "add", visible=(shown,), hidden=(hidden,))
    return Task(problem, (Message(Role.USER, prompt),))


class Scripted:
    """A policy that replies from lists, by which task its prompt names; `batches` are sizes."""

    def __init__(self, tokenizer: Any, replies: dict[int, list[str]]) -> None:
        self._tokenizer = tokenizer
        self._left = {number: list(each) for number, each in replies.items()}
        self.batches: list[int] = []

    def __call__(self, asked: list[list[int]]) -> list[list[int]]:
        self.batches.append(len(asked))
        answers = []
        for tokens in asked:
            said = self._tokenizer.decode(tokens)
            (number,) = [each for each in self._left if f"Number {each}:" in said]
            text = self._left[number].pop(0)
            ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
            answers.append([*ids, self._tokenizer.eos_token_id])
        return answers


def rolled(tokenizer: Any, pool: RigPool, replies: dict[int, list[str]], **more: Any) -> Any:
    policy = Scripted(tokenizer, replies)
    done = roll_out(
        [task(number) for number in replies],
        tokenizer,
        policy,
        pool,
        NoSession(),
        settings=RolloutSettings(**{"turns": 2, "context_tokens": 4096, **more}),
        max_tokens=200,
    )
    return done, policy


def own_words(tokenizer: Any, rollout: Rollout) -> str:
    pairs = zip(rollout.completion_ids, rollout.mask, strict=True)
    return str(tokenizer.decode([token for token, own in pairs if own]))


def test_a_reward_is_for_what_the_hidden_tests_say_and_for_how_soon(
    tokenizer: Any, pool: RigPool
) -> None:
    replies = {1: [RIGHT], 2: [WRONG, RIGHT], 3: [WRONG, WRONG], 4: [CHEAT]}
    done, policy = rolled(tokenizer, pool, replies)
    assert [each.reward for each in done] == [1.0, 0.7, 0.0, 0.0]
    assert [each.turns for each in done] == [1, 2, 2, 1]
    assert policy.batches == [4, 2]  # all at once, then those that go on


def test_the_tokens_are_those_that_were_sampled_and_feedback_is_marked(
    tokenizer: Any, pool: RigPool
) -> None:
    ((rollout,), _) = rolled(tokenizer, pool, {2: [WRONG, RIGHT]})
    assert own_words(tokenizer, rollout) == f"{WRONG}<|im_end|>{RIGHT}<|im_end|>"
    whole = tokenizer.decode(rollout.prompt_ids + rollout.completion_ids)
    told = whole[whole.index(WRONG) + len(WRONG) : whole.index(RIGHT)]
    assert told.startswith("<|im_end|>\n<|im_start|>user\n")
    assert told.endswith("<|im_end|>\n<|im_start|>assistant\n")
    assert "add(1, 2)" in told  # what the visible test says
    assert "add(2, 2)" not in told
    assert whole.startswith("<|im_start|>user\nNumber 2: write add(a, b).<|im_end|>\n")


def test_a_dialogue_that_no_longer_fits_counts_with_what_it_has(
    tokenizer: Any, pool: RigPool
) -> None:
    ((rollout,), _) = rolled(tokenizer, pool, {2: [WRONG, RIGHT]}, context_tokens=300)
    assert rollout.turns == 1
    assert rollout.reward == 0.0
    assert own_words(tokenizer, rollout) == f"{WRONG}<|im_end|>"


def test_a_policy_that_fails_ends_every_dialogue(tokenizer: Any, pool: RigPool) -> None:
    def broken(asked: list[list[int]]) -> list[list[int]]:
        msg = "out of memory"
        raise ModelError(msg)

    with pytest.raises(ModelError, match="out of memory"):
        roll_out(
            [task(1), task(2)],
            tokenizer,
            broken,
            pool,
            NoSession(),
            settings=RolloutSettings(),
            max_tokens=20,
        )


def test_a_run_in_which_all_rewards_are_alike_is_stopped() -> None:
    watch = NothingToLearn(patience=3)

    class State:
        global_step = 3

    for share in (1.0, 1.0, 0.5, 1.0, 0.95):
        watch.on_log(None, State, None, {"frac_reward_zero_std": share})
    with pytest.raises(ConfigError, match="start from a model that was fine-tuned"):
        watch.on_log(None, State, None, {"frac_reward_zero_std": 1.0})


def test_a_run_of_reinforcement_rolls_out_judges_and_learns(pool: RigPool, tmp_path: Path) -> None:
    texts = [message.content for row in practice(10) for message in render(row)]
    base = tiny_folder(tmp_path / "tiny", texts)
    trl = {
        "max_steps": 2,
        "num_generations": 2,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 1,
        "max_completion_length": 12,
        "bf16": False,
    }
    path = tmp_path / "grpo.yaml"
    values = {"model": str(base), "data": ["none"], "output": str(tmp_path / "run"), "trl": trl}
    path.write_text(json.dumps(values), encoding="utf-8")
    trained = grpo(read_config(path), Origin("tiny", base), [task(1), task(2)], pool, NoSession())
    assert (trained.run.model / "model.safetensors").is_file()
    rows = [row for row in RunFolder(tmp_path / "run").logged() if "reward" in row]
    assert [row["step"] for row in rows] == [1, 2]
    for row in rows:
        assert row["turns"] == 2.0  # noise solves nothing, and is told so
        assert row["reward"] == 0.0
        assert 0 < row["execution_s"] <= row["rollout_s"] * 2
        assert row["completions/mean_length"] <= 24  # the policy's own tokens alone
