"""A rig: where solutions are tried against tests that they cannot reach."""

import threading
import weakref
from collections.abc import Generator

from codeloop.core.errors import SandboxError
from codeloop.core.execution import (
    ExecutionLimits,
    ExecutionResult,
    InputRequested,
    OutputChunk,
    TrialLimits,
    TrialResult,
)
from codeloop.sandbox.rigs.residents import Resident
from codeloop.sandbox.rigs.trial import Trial
from codeloop.sandbox.session import SandboxSession
from codeloop.sandbox.tiers import ByTier


class SandboxRig:
    """Nurseries, a tester and sessions, each in a jail of its own; fulfils `core`'s `Rig`.

    Does one thing at a time: use one rig for each thread.
    """

    def __init__(
        self,
        nurseries: ByTier[Resident],
        tester: Resident,
        sessions: ByTier[SandboxSession],
    ) -> None:
        self._nurseries = nurseries
        self._tester = tester
        self._sessions = sessions
        self._busy = threading.Lock()
        self._close = weakref.finalize(self, _end, nurseries, tester)  # also of a forgotten rig

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
            nursery = self._nurseries.for_source(solution)
            try:
                return Trial(nursery, self._tester, limits).run(solution, request)
            except BaseException:
                self._nurseries.drop(nursery)
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
        session = self._sessions.for_source(code.encode("utf-8", "surrogatepass"))
        try:
            yield from session.run(code, language=language, limits=limits, stdin=stdin)
        except SandboxError:
            self._sessions.drop(session)
            raise

    def close(self) -> None:
        """End everything that runs in the rig, and wait until it is gone."""
        self._close()
        self._sessions.close()

    def _check_open(self) -> None:
        if not self._close.alive:
            msg = "this rig is closed"
            raise SandboxError(msg)


def _end(nurseries: ByTier[Resident], tester: Resident) -> None:
    nurseries.close()
    tester.close()
