"""The proof that a killed evaluation goes on, cut short."""

import pytest
from adversarial.resume import Point, prove

pytestmark = [pytest.mark.jail, pytest.mark.slow]


@pytest.mark.timeout(600)
def test_an_evaluation_that_is_killed_goes_on_as_if_nothing_had_been() -> None:
    points = list(prove(3))
    assert len(points) == 3
    assert all(point.held for point in points), points


def test_a_point_holds_only_if_all_of_it_does() -> None:
    good = Point(calls=9, recorded=2, redone=4, same=True, once=True, left=0)
    assert good.held
    assert not Point(calls=9, recorded=2, redone=5, same=True, once=True, left=0).held
    assert not Point(calls=9, recorded=2, redone=0, same=False, once=True, left=0).held
    assert not Point(calls=9, recorded=2, redone=0, same=True, once=False, left=0).held
    assert not Point(calls=9, recorded=2, redone=0, same=True, once=True, left=1).held
