"""The long proof, cut short."""

import os

import pytest
from adversarial.prove import Proof, prove

pytestmark = [pytest.mark.jail, pytest.mark.slow]


@pytest.mark.timeout(600)
def test_hostile_runs_leave_nothing() -> None:
    proof = prove(int(os.environ.get("CODELOOP_TEST_PROOF_RUNS", "100")))
    assert not proof.surprises
    assert not any(proof.left.values()), proof.left
    assert proof.held


def test_growth_is_that_of_the_second_half() -> None:
    proof = Proof(rss_bytes=[(0, 0), (10, 5000), (20, 6000), (30, 6010), (40, 6020)])
    assert proof.slope() == pytest.approx(1.0)
