"""The list of a session's variables."""

import time

import pytest
from adversarial.hostile import LIMITS, run

from codeloop.core.execution import Status, Variable
from codeloop.sandbox import Sandbox, SandboxSession

pytestmark = pytest.mark.jail


def named(session: SandboxSession) -> dict[str, Variable]:
    return {each.name: each for each in session.variables()}


def test_variables_are_described(kernel: SandboxSession) -> None:
    run(kernel, "import os\nn = 7\ntext = 'ä' * 1000\nitems = [1] * 50\n_hidden = 1")
    run(kernel, "class Point:\n    def __repr__(self): return 'a\\n  point'\npoint = Point()")
    found = named(kernel)
    assert list(found) == ["n", "text", "items", "Point", "point"]
    assert (found["n"].type, found["n"].value, found["n"].shape) == ("int", "7", ())
    assert found["items"].shape == (50,)
    assert found["items"].size_bytes > 400
    assert len(found["text"].value) <= 120
    assert (found["point"].type, found["point"].value) == ("Point", "a point")


def test_a_new_session_has_none_and_a_one_shot_session_never(
    sandbox: Sandbox, kernel: SandboxSession
) -> None:
    assert kernel.variables() == ()
    once = sandbox.open_session(stateful=False, limits=LIMITS)
    assert once.variables() == ()
    once.close()


def test_no_more_than_200_are_listed(kernel: SandboxSession) -> None:
    run(kernel, "for n in range(500): globals()[f'v{n}'] = n")
    assert len(kernel.variables()) == 200


def test_looking_changes_nothing(kernel: SandboxSession) -> None:
    run(
        kernel,
        """
seen = []
class Counting:
    def __repr__(self):
        seen.append(1); print('looked'); open('looked', 'w').close()
        return str(len(seen))
counting = Counting()""",
    )
    assert named(kernel)["counting"].value == "1"
    assert named(kernel)["counting"].value == "1"
    result = run(kernel, "seen")
    assert (result.displays[0].text(), result.stdout.text) == ("[]", "")


def test_what_takes_long_is_left_out_and_the_rest_is_told(kernel: SandboxSession) -> None:
    run(
        kernel,
        """
class Endless:
    def __repr__(self):
        while True: pass
    def __len__(self): return 3
a, endless, b = 1, Endless(), 2""",
    )
    started = time.monotonic()
    found = named(kernel)
    assert time.monotonic() - started < 10
    assert (found["a"].value, found["b"].value, found["endless"].type) == ("1", "2", "Endless")
    assert run(kernel, "a + b").status is Status.OK
