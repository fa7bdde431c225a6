"""Shows how far a run has come: a live line on a terminal, else one line every ten seconds."""

import sys
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from codeloop.dataset.budget import Purse
    from codeloop.dataset.pipeline import Pipeline
    from codeloop.dataset.throttle import Throttle

LINE_S, FRAME_S = 10.0, 0.25


class Ticker:
    """Shows it from a thread of its own, while the `with` statement lasts."""

    def __init__(
        self, pipeline: "Pipeline", purse: "Purse", throttles: "Mapping[str, Throttle]"
    ) -> None:
        self._pipeline = pipeline
        self._purse = purse
        self._throttles = throttles
        self._start = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def line(self) -> str:
        """Return how far the run has come, in one line."""
        stages = [
            f"{tally.name} {tally.made}/{tally.taken}"
            + (f" ({sum(list(tally.failed.values()))} failed)" if tally.failed else "")
            for tally in self._pipeline.funnel
        ]
        seconds = time.monotonic() - self._start
        done = self._pipeline.funnel[-1].taken
        flights = sum(each.in_flight for each in self._throttles.values())
        refused = sum(each.refused for each in self._throttles.values())
        parts = [
            f"{self._pipeline.read} read",
            *stages,
            f"{done / max(seconds, 1e-3):.1f} rows/s",
            f"{flights} calls in flight",
            f"{self._purse.tokens} tokens",
        ]
        if self._purse.money:
            parts.append(f"{self._purse.money:.2f} spent")
        if refused:
            parts.append(f"{refused} refused")
        return ", ".join(parts)

    def _tick(self) -> None:
        if sys.stderr.isatty():
            self._show_live()
            return
        while not self._over.wait(LINE_S):
            print(self.line(), file=sys.stderr, flush=True)

    def _show_live(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns: tuple[Any, ...] = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(self.line())
            while not self._over.wait(FRAME_S):
                progress.update(task, description=self.line())
