"""Tiers are a guess from the text of a program."""

from pathlib import Path

import pytest

from codeloop.core.errors import SandboxError
from codeloop.judge.guest.wire import encode
from codeloop.sandbox.tiers import BARE, TIERS, ByTier, Tier, tier_of, tiers_for


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("", "bare"),
        ("import os, sys", "bare"),
        ("import numpy as np", "numpy"),
        ("import os, numpy", "numpy"),
        ("from scipy.stats import norm", "numpy"),
        ("    import pandas as pd", "pandas"),
        ("from matplotlib import pyplot as plt", "plots"),
        ("import pandas, matplotlib", "plots"),
        ("import numpy\nimport pandas\n", "pandas"),
        ("x = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n# import numpy", "bare"),
        ("import os  # numpy is not needed", "bare"),
        ("print('numpy')", "bare"),
        ("important = numpyish = 1", "bare"),
    ],
)
def test_tier_is_chosen_by_imports(source: str, name: str) -> None:
    assert tier_of(source.encode()).name == name


@pytest.mark.parametrize(
    "source", ["import pandas\nx = 1", "x = 1\nimport pandas\n", "import os, pandas as pd\n"]
)
def test_a_judge_s_request_is_looked_into(source: str) -> None:
    assert tier_of(encode(source, "f", False)).name == "pandas"


def test_tiers_need_all_their_packages(tmp_path: Path) -> None:
    assert tiers_for(None) == (BARE,)
    assert tiers_for(tmp_path) == (BARE,)
    (tmp_path / "numpy").mkdir()
    assert [tier.name for tier in tiers_for(tmp_path)] == ["numpy", "bare"]
    for name in ("pandas", "matplotlib"):
        (tmp_path / name).mkdir()
    assert tiers_for(tmp_path) == TIERS


class Thing:
    def __init__(self, tier: Tier) -> None:
        self.tier = tier
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def test_things_by_tier_are_made_once_and_closed_once() -> None:
    made: list[Thing] = []

    def make(tier: Tier) -> Thing:
        made.append(Thing(tier))
        return made[-1]

    things = ByTier(TIERS, make)
    assert not made
    first = things.for_source(b"import numpy")
    assert things.for_source(b"import numpy as np") is first
    assert things.of(BARE) is not first
    things.drop(first)
    assert first.closed == 1
    assert things.for_source(b"import numpy") is not first
    things.close()
    assert [thing.closed for thing in made] == [1, 1, 1]
    with pytest.raises(SandboxError, match="closed"):
        things.of(BARE)
