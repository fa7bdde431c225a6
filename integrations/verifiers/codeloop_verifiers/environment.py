"""The loop as an environment: the policy writes, the judge says what visible tests found.

Its last solution is worth what all tests say.
The loop is codeloop's own, in a thread; each of its model calls is a turn of the policy.
"""

import asyncio
from collections.abc import Generator, Sequence
from contextlib import ExitStack

import verifiers.v1 as vf

from codeloop.core.dialogue import Finish, Message, Usage
from codeloop.core.errors import ModelError
from codeloop.core.protocols import Reply, Sampling
from codeloop.evals.run import NoSession, opening
from codeloop.train.tuning.playing import Played, Task, play
from codeloop_verifiers.problems import Bench, ProblemTask, open_bench


class LoopEnvConfig(vf.EnvConfig):
    """Who solves, and in how many turns (`--env.*`)."""

    solver: vf.AgentConfig = vf.AgentConfig(harness={"id": "null"}, runtime={"type": "subprocess"})
    turns: int = 2


class Talk:
    """The policy's side of an exchange, for a loop in another thread. Fills `Model`."""

    name = "policy"
    context_tokens = None

    def __init__(self, exchange: vf.Interaction, events: asyncio.AbstractEventLoop) -> None:
        self._exchange = exchange
        self._events = events
        self._asked = False

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return 0  # its context is unknown, so nobody acts on this

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        timeout_s: float | None = None,
    ) -> Generator[str | Reply, None, None]:
        """Yield the policy's reply, whole; verifiers decides how it is sampled.

        Raises:
            ModelError: the exchange is over.
        """
        said = self._exchange.turn(messages[-1].content if self._asked else None)
        self._asked = True
        segment = asyncio.run_coroutine_threadsafe(said, self._events).result()
        if segment.terminated:
            msg = "the exchange is over"
            raise ModelError(msg)
        yield segment.last_reply
        yield Reply(segment.last_reply, Finish.STOP, Usage())

    def close(self) -> None: ...


class LoopEnv(vf.Env[LoopEnvConfig]):
    """Each task is one dialogue: 1 if its first solution passes all tests, 0.7 if a later one."""

    async def start(self) -> None:
        self._open = ExitStack()
        self._bench: Bench = await asyncio.to_thread(
            self._open.enter_context, open_bench(self.taskset.config)
        )

    async def stop(self) -> None:
        await asyncio.to_thread(self._open.close)

    async def run(self, task: ProblemTask, agents: vf.Agents) -> None:
        async with agents.solver.interaction(task) as exchange:
            model = Talk(exchange, asyncio.get_running_loop())
            try:
                played = await asyncio.to_thread(self._play, str(task.data.id), model)
            except ModelError:  # there was no reply at all: why stands in the trace
                return
            exchange.trace.record_reward("solved", played.reward)
            exchange.trace.record_metric("turns", played.turns)
            exchange.trace.record_metric("execution_s", played.execution_s)

    def _play(self, name: str, model: Talk) -> Played:
        problem = self._bench.prepared.problem(name)
        task = Task(problem, opening(problem, self._bench.benchmark))
        turns = self.config.turns
        return play(task, model, self._bench.pool, NoSession(), turns=turns, max_tokens=1024)
