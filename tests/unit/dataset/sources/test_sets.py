"""The sets that are known by name: the table holds, and the data gives what it promises."""

import os
from pathlib import Path

import pytest

from codeloop.core.errors import ConfigError
from codeloop.dataset.records import Malformed
from codeloop.dataset.sources.ingest import queries, query_set, query_sets, read_source

DATA = os.environ.get("CODELOOP_DATA")


def test_every_set_has_a_licence_and_names_are_unique() -> None:
    names = [each.name for each in query_sets()]
    assert len(set(names)) == len(names)
    assert all(each.origin.licence for each in query_sets())


def test_a_name_that_is_nearly_one_is_offered() -> None:
    with pytest.raises(ConfigError, match="did you mean nl2bash"):
        query_set("nl2bsh")


@pytest.mark.data
@pytest.mark.skipif(not DATA, reason="needs CODELOOP_DATA")
def test_the_sets_give_more_than_20_000_queries_none_of_them_malformed() -> None:
    counts = {}
    for each in query_sets():
        rows = list(queries(read_source(each.source(Path(DATA or "")))))
        assert not [row for row in rows if isinstance(row, Malformed)]
        counts[each.name] = len(rows)
    assert counts["mbpp-train"] == 374
    assert sum(counts.values()) == 67_844
