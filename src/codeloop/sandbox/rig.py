"""A rig: where solutions are tried against tests that they cannot reach."""

import threading
import weakref
from collections.abc import Callable, Generator

from codeloop.core.errors import SandboxError
from codeloop.core.execution import (
    ExecutionLimits,
    ExecutionResult,
    InputRequested,
    OutputChunk,
    TrialLimits,
    TrialResult,
)
from codeloop.sandbox.residents import Resident
from codeloop.sandbox.session import SandboxSession
from codeloop.sandbox.trial import Trial


class SandboxRig:
    """A nursery, a tester and a session, each in a jail of its own; fulfils `core`'s `Rig`.

    Does one thing at a time: use one rig for each thread.
    """

    def __init__(
        self,
        nursery: Resident,
        tester: Resident,
        open_session: Callable[[], SandboxSession],
    ) -> None:
        self._nursery = nursery
        self._tester = tester
        self._open_session = open_session
        self._session: SandboxSession | None = None
        self._busy = threading.Lock()
        self._close = weakref.finalize(self, _end, nursery, tester)  # also of a forgotten rig

    def trial(self, solution: bytes, request: bytes, limits: TrialLimits) -> TrialResult:
        """Join a new candidate and the tester by a socket; return when the tester is done.

        Raises:
            SandboxError: the rig broke, or the tester failed; the next trial starts it anew.
        """
        self._check_open()
        if not self._busy.acquire(blocking=False):
            msg = "this rig is trying something else; use one rig for each thread"
            raise SandboxError(msg)
        try:
            return Trial(self._nursery, self._tester, limits).run(solution, request)
        except BaseException:
            self._nursery.close()
            self._tester.close()
            raise
        finally:
            self._busy.release()

    def run(
        self,
        code: str,
        *,
        language: str = "python",
        limits: ExecutionLimits | None = None,
        stdin: bytes = b"",
    ) -> Generator[OutputChunk | InputRequested | ExecutionResult, None, None]:
        """Run a whole program by itself, as a one-shot session does.

        Raises:
            SandboxError: the sandbox broke.
        """
        self._check_open()
        if self._session is None:
            self._session = self._open_session()
        try:
            yield from self._session.run(code, language=language, limits=limits, stdin=stdin)
        except SandboxError:
            self._session.close()
            self._session = None
            raise

    def close(self) -> None:
        """End everything that runs in the rig, and wait until it is gone."""
        self._close()
        if self._session is not None:
            self._session.close()

    def _check_open(self) -> None:
        if not self._close.alive:
            msg = "this rig is closed"
            raise SandboxError(msg)


def _end(nursery: Resident, tester: Resident) -> None:
    nursery.close()
    tester.close()
