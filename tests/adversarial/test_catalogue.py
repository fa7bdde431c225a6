"""After any hostile program the next honest one, in the same slot, finds nothing of it."""

import pytest
from adversarial.catalogue import FORGED, PROGRAMS, Hostile
from adversarial.hostile import LIMITS, last, run

from codeloop.core.execution import Status
from codeloop.sandbox import Sandbox

pytestmark = pytest.mark.jail

HONEST = """
import os, sys
print([n for n in os.listdir("/proc") if n.isdigit()] == [str(os.getpid())])
print(os.listdir("/work"), os.listdir("/tmp"), os.listdir("/dev/shm"))
print(sum(range(10)), os.environ["HOME"], sys.getrecursionlimit(), os.umask(0o22))
"""
CLEAN = "True\n['main.py'] [] []\n45 /work 1000 18\n"
# Those of exhaustion and of languages take long, and are followed by an honest run where they are.
QUICK = [each for each in PROGRAMS if each.kind not in {"exhaustion", "languages"}]


def test_the_list_is_long_and_has_no_name_twice() -> None:
    assert len(PROGRAMS) + len(FORGED) >= 199  # as SECURITY.md says
    assert len({(each.kind, each.name) for each in PROGRAMS}) == len(PROGRAMS)


@pytest.mark.parametrize("hostile", QUICK, ids=lambda each: f"{each.kind}: {each.name}")
def test_the_next_run_is_clean(hostile: Hostile, sandbox: Sandbox) -> None:
    session = sandbox.open_session(stateful=False, limits=LIMITS)
    try:
        result = run(session, hostile.code, hostile.limits)
        assert result.status in hostile.statuses, result
        after = last(session.run(HONEST))
        assert (after.status, after.stdout.text) == (Status.OK, CLEAN), after
    finally:
        session.close()
