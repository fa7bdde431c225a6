from dataclasses import dataclass
from pathlib import Path

import pytest

from codeloop.dataset.outputs import Spool
from codeloop.dataset.stages import Chosen


@dataclass(frozen=True, slots=True)
class Row:
    place: int
    row: str


WORDS = ["a", "bb", "", "dddd", "é" * 5000]


def test_rows_of_a_spool_are_read_in_order_or_by_place_and_are_gone_with_it(tmp_path: Path) -> None:
    with Spool(tmp_path, 3) as spool:
        spool.fill(Row(at, word) for at, word in enumerate(WORDS))
        assert list(spool) == list(spool) == WORDS
        assert (len(spool), spool[3], spool[-1], spool[1:3]) == (5, "dddd", WORDS[4], ["bb", ""])
        with pytest.raises(IndexError):
            spool[5]
        chosen = Chosen(spool, [4, 0, 3])
        assert list(chosen) == [WORDS[4], "a", "dddd"]
        assert (len(chosen), chosen[1], list(chosen[1:])) == (3, "a", ["a", "dddd"])
    assert not list(tmp_path.iterdir())


def test_a_spool_that_nothing_was_written_to_holds_nothing(tmp_path: Path) -> None:
    with Spool(tmp_path, 0) as spool:
        assert not list(spool)
