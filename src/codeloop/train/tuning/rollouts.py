"""The loop as the rollout of a trainer: replies of the policy, feedback of visible tests, a reward.

All that leans on TRL's experimental `rollout_func` stands here. Many dialogues are under way at
once, a thread each; what they ask of the policy is generated together, in the trainer's thread.
"""

import json
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from codeloop.core.dialogue import Finish, Message, Usage, plain_messages
from codeloop.core.errors import ModelError
from codeloop.core.protocols import Reply, Sampling, Session
from codeloop.judge.many import RigPool
from codeloop.train.tuning.playing import NOT, Task, play

Generate = Callable[[list[list[int]]], list[list[int]]]


@dataclass(frozen=True, slots=True)
class RolloutSettings:
    """How far a dialogue may go: its turns, and tokens of all its prompts and replies in a row."""

    turns: int = 2
    context_tokens: int = 2048


@dataclass(frozen=True, slots=True)
class Rollout:
    """What came of a dialogue, as tokens: `mask` has 1 where the policy wrote, 0 for feedback."""

    prompt_ids: list[int]
    completion_ids: list[int]
    mask: list[int]
    turns: int
    reward: float
    execution_s: float


class Desk:
    """Where dialogues wait for the policy: once all that go on have asked, all are answered."""

    def __init__(self, generate: Generate, dialogues: int) -> None:
        self._generate = generate
        self._changed = threading.Condition()
        self._active = dialogues
        self._asked: dict[int, list[int]] = {}
        self._answers: dict[int, list[int]] = {}
        self._broken = False

    def ask(self, tokens: list[int]) -> list[int]:
        """Return what the policy writes after the tokens; called in the thread of a dialogue.

        Raises:
            ModelError: the policy failed.
        """
        me = threading.get_ident()
        with self._changed:
            self._asked[me] = tokens
            self._changed.notify_all()
            self._changed.wait_for(lambda: me in self._answers or self._broken)
            if self._broken:
                msg = "the policy failed"
                raise ModelError(msg)
            return self._answers.pop(me)

    def leave(self) -> None:
        """Say that a dialogue is over."""
        with self._changed:
            self._active -= 1
            self._changed.notify_all()

    def serve(self) -> None:
        """Answer until all dialogues are over; called in the trainer's thread."""
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: len(self._asked) >= self._active)
                    if not self._active:
                        return
                    asked, self._asked = self._asked, {}
                answers = self._generate(list(asked.values()))
                with self._changed:
                    self._answers |= dict(zip(asked, answers, strict=True))
                    self._changed.notify_all()
        except BaseException:
            with self._changed:
                self._broken = True
                self._changed.notify_all()
            raise


@dataclass(slots=True)
class Policy:
    """The model of one dialogue, which keeps the very tokens that were sampled. Fills `Model`."""

    tokenizer: Any
    desk: Desk
    context_tokens: int
    name: str = "policy"
    prompt_ids: list[int] = field(default_factory=list)
    completion_ids: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    _text: str = ""  # what the tokens so far say, without a stop token at the end
    _stop: str = ""  # the stop token that ended the last reply, "" if none did

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return len(self._tokens(self._rendered(messages)))

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        timeout_s: float | None = None,
    ) -> Generator[str | Reply, None, None]:
        """Yield the policy's reply after the messages, whole.

        Raises:
            ModelError: the messages do not go on from those before.
        """
        rendered = self._rendered(messages)
        if not self.prompt_ids:
            self.prompt_ids = self._tokens(rendered)
        else:
            if not rendered.startswith(self._text):
                msg = "the dialogue does not go on from what the policy wrote"
                raise ModelError(msg)
            told = self._tokens(rendered[len(self._text) :].removeprefix(self._stop))
            self.completion_ids += told
            self.mask += [0] * len(told)
        written = self.desk.ask(self.prompt_ids + self.completion_ids)
        self.completion_ids += written
        self.mask += [1] * len(written)
        ended = bool(written) and written[-1] in self._ends()
        said = written[:-1] if ended else written
        text = self.tokenizer.decode(said, skip_special_tokens=False)
        self._text = rendered + text
        self._stop = self.tokenizer.decode(written[-1:]) if ended else ""
        yield text
        usage = Usage(len(self.prompt_ids) + len(self.completion_ids) - len(written), len(written))
        yield Reply(text, Finish.STOP if ended else Finish.LENGTH, usage)

    def close(self) -> None: ...

    def _ends(self) -> set[int]:
        return {self.tokenizer.eos_token_id}

    def _rendered(self, messages: Sequence[Message]) -> str:
        text: str = self.tokenizer.apply_chat_template(
            plain_messages(messages), tokenize=False, add_generation_prompt=True
        )
        return text

    def _tokens(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def roll_out(  # noqa: PLR0913  the parts of the loop, and two settings
    tasks: Sequence[Task],
    tokenizer: Any,
    generate: Generate,
    pool: RigPool,
    session: Session,
    *,
    settings: RolloutSettings,
    max_tokens: int,
) -> list[Rollout]:
    """Return what comes of a dialogue about each task, in order; called in the trainer's thread.

    Raises:
        SandboxError: our side failed.
    """
    desk = Desk(generate, len(tasks))

    def work(task: Task) -> Rollout:
        try:
            policy = Policy(tokenizer, desk, settings.context_tokens)
            played = play(task, policy, pool, session, turns=settings.turns, max_tokens=max_tokens)
            return Rollout(
                policy.prompt_ids,
                policy.completion_ids,
                policy.mask,
                played.turns,
                played.reward,
                played.execution_s,
            )
        finally:
            desk.leave()

    with ThreadPoolExecutor(len(tasks), "rollout") as threads:
        under_way = [threads.submit(work, task) for task in tasks]
        desk.serve()
        return [each.result() for each in under_way]


def rollout_function(
    tasks: Sequence[Task], pool: RigPool, session: Session, settings: RolloutSettings
) -> Callable[[list[Any], Any], dict[str, Any]]:
    """Return what TRL's GRPO calls for a step: prompts and trainer in, tokens and rewards out."""
    known: Mapping[str, Task] = {json.dumps(task.prompt): task for task in tasks}

    def rollouts(prompts: list[Any], trainer: Any) -> dict[str, Any]:
        def generate(asked: list[list[int]]) -> list[list[int]]:
            with trainer.accelerator.autocast():  # else all weights are cast anew for each token
                answers, _ = trainer._generate_single_turn(asked, None, {}, 1)  # noqa: SLF001
            return [list(each) for each in answers]

        start = time.monotonic()
        done = roll_out(
            [known[json.dumps(each)] for each in prompts],
            trainer.processing_class,
            generate,
            pool,
            session,
            settings=settings,
            max_tokens=trainer.max_completion_length,
        )
        figures = {
            "rollout_s": time.monotonic() - start,
            "execution_s": sum(each.execution_s for each in done),
            "solved": sum(each.reward > NOT for each in done) / len(done),
            "turns": sum(each.turns for each in done) / len(done),
        }
        for name, value in figures.items():
            trainer._metrics["train"][name].append(value)  # noqa: SLF001  of what it logs itself
        return {
            "prompt_ids": [each.prompt_ids for each in done],
            "completion_ids": [each.completion_ids for each in done],
            "logprobs": None,
            "env_mask": [each.mask for each in done],
            "solution_reward": [each.reward for each in done],
        }

    return rollouts


def solution_reward(completions: list[Any], solution_reward: list[float], **_: Any) -> list[float]:
    """Return the rewards that the rollouts came with."""
    return solution_reward
