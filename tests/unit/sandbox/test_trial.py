"""How a candidate's end is told, whoever was quicker: it, or the host's order to end it."""

from typing import Any

import pytest

from codeloop.core.execution import Status, TrialLimits
from codeloop.sandbox.rigs.trial import Trial


@pytest.mark.parametrize(
    ("by_host", "code", "signal", "told"),
    [
        (False, 0, None, (Status.OK, 0, None)),
        (True, 0, None, (Status.OK, 0, None)),
        (False, 3, None, (Status.ERROR, 3, None)),
        (True, 3, None, (Status.ERROR, 3, None)),
        (False, None, 11, (Status.SIGNAL, None, 11)),
        (True, None, 9, (Status.OK, None, None)),
        (True, None, 11, (Status.SIGNAL, None, 11)),
    ],
)
def test_an_end_is_told_the_same_however_the_two_race(
    by_host: bool,
    code: int | None,
    signal: int | None,
    told: tuple[Status, int | None, int | None],
) -> None:
    nobody: Any = None
    trial = Trial(nobody, nobody, TrialLimits())
    end = {"by_host": by_host, "code": code, "signal": signal, "cpu_s": 0.0, "memory_bytes": 0}
    trial._candidate = end
    result = trial._result()
    assert (result.candidate, result.exit_code, result.signal) == told
