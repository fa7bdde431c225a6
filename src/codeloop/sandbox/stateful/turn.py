"""Whose turn it is with a session: that of one run, or of one short request."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from codeloop.core.errors import SandboxError

_SHORT_S = 10.0  # no request takes longer, unless the sandbox is broken


class Turn:
    """Lets one at a time: a run refuses whoever comes meanwhile, a short request has them wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()  # over a lock that one thread may take twice
        self._taken = False
        self._short = False

    @property
    def runs(self) -> bool:
        """Whether a run has it."""
        return self._taken and not self._short

    @contextmanager
    def take(self, *, short: bool = False) -> Iterator[None]:
        """Have it within the block.

        Raises:
            SandboxError: a run has it.
        """
        with self._changed:
            self._changed.wait_for(lambda: not (self._taken and self._short), _SHORT_S)
            if self._taken:
                msg = "this session is running something else; use one session for each run"
                raise SandboxError(msg)
            self._taken, self._short = True, short
        try:
            yield
        finally:
            with self._changed:
                self._taken = False
                self._changed.notify_all()

    def await_end(self, timeout_s: float) -> None:
        """Wait until nobody has it, or for that long."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken, timeout_s)
