"""What happens beside the steps of a trainer: the run's own log, and problems that are tried."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from codeloop.train.runs import RunFolder
from codeloop.train.tuning.solving import Solve, Solved


class RunLog(TrainerCallback):
    """Writes rows of figures into the run's log; what a run does again is dropped there first."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            self._run.forget_after(state.global_step)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        if state.is_world_process_zero and logs:
            row = {"step": state.global_step, **logs}
            with self._run.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


class TriedProblems(TrainerCallback):
    """Has the model try held-out problems before the first step, every so many, and at the end.

    `save` writes the model as it is now into a folder that can be served; `log` is the trainer's.
    """

    def __init__(
        self,
        solve: Solve,
        save: Callable[[Path], None],
        log: Callable[[dict[str, float]], None],
        folder: Path,
        *,
        every: int,
    ) -> None:
        self._solve = solve
        self._save = save
        self._log = log
        self._folder = folder
        self._every = every
        self.last: tuple[int, Solved] | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 0:
            self._try(state)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._every and state.global_step % self._every == 0:
            self._try(state)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.last is None or self.last[0] != state.global_step:
            self._try(state)

    def _try(self, state: Any) -> None:
        if not state.is_world_process_zero:
            return
        self._save(self._folder)
        found = self._solve(self._folder)
        self.last = state.global_step, found
        self._log(found.figures())
