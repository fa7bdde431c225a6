import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codeloop.core.dialogue import Dialogue, Message, Role, Turn
from codeloop.core.errors import DataError
from codeloop.dataset.records import (
    Example,
    Malformed,
    Query,
    Verified,
    VerifiedReason,
    VerifiedStatus,
    Way,
    decode,
    encode,
    kind_of,
    normalised,
    read,
    write,
)

TEXT = st.text(max_size=20)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
QUERIES = st.builds(
    Query, TEXT, TEXT, TEXT, TEXT, TEXT, st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple)
)
DIALOGUES = st.builds(
    Dialogue,
    opening=st.lists(st.builds(Message, st.sampled_from(Role), TEXT), max_size=2).map(tuple),
    turns=st.lists(st.builds(Turn, reply=TEXT), max_size=2).map(tuple),
)
EXAMPLES = st.builds(
    Example,
    DIALOGUES,
    st.sampled_from(Way),
    TEXTS,
    TEXT,
    TEXT,
    TEXT,
    TEXTS,
    runs=TEXTS,
    problem_id=TEXT,
    verified=st.none()
    | st.builds(
        Verified,
        st.sampled_from(VerifiedStatus),
        st.sampled_from(VerifiedReason),
        st.integers(0, 9),
        TEXT,
    ),
)


@given(QUERIES)
def test_a_query_survives_the_round_trip(query: Query) -> None:
    line = encode(query)
    assert "\n" not in line
    assert decode(Query, line) == query
    assert f'"id": "{query.id}"' in line


@given(EXAMPLES)
def test_an_example_survives_the_round_trip(example: Example) -> None:
    line = encode(example)
    assert "\n" not in line
    assert decode(Example, line) == example


@given(TEXT, TEXT)
@example("", "0\r\n0")
def test_equal_rows_of_two_sources_share_their_id(query: str, answer: str) -> None:
    one = Query(query, answer, source="a", licence="MIT", language="python")
    lines = re.sub(r"(?<!\r)\n", "\r\n", answer)  # "\r\r\n" would end two lines
    other = Query(f"\n{query} \r\n", lines, source="b")
    assert one.id == other.id
    assert one.id != Query(query, answer + "!").id


def test_where_query_and_answer_part_counts() -> None:
    assert Query("ab", "c").id != Query("a", "bc").id


def test_an_id_is_the_same_on_any_day() -> None:
    assert Query("Sort a list.", "sorted(x)").id == "d333785b9dcecc3dd3dcaaa5c7fe141d"


@given(TEXT)
def test_what_is_normalised_stays_so(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


def test_indentation_and_letter_case_count_and_the_form_of_unicode_does_not() -> None:
    assert normalised("  x") != normalised("x")
    assert normalised("X") != normalised("x")
    assert normalised(unicodedata.normalize("NFD", "é")) == normalised("é")


def test_a_malformed_row_has_its_place_and_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    good = encode(Query("a"))
    bad = ["{", '{"schema": 1, "query": 3}', '{"schema": 9, "query": "x"}', "[]", "[" * 10**5]
    path.write_bytes("\n".join([good, *bad, "", good]).encode() + b"\n\xff\n")
    rows = list(read(Query, path))
    assert [type(row) for row in rows] == [Query, *[Malformed] * 5, Query, Malformed]
    wheres = [row.where for row in rows if isinstance(row, Malformed)]
    assert wheres == [f"{path}:{number}" for number in (2, 3, 4, 5, 6, 9)]
    assert "Query.query should be str, not int" in str(rows[2])


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "q.jsonl"
    queries = [Query("a"), Query("b\ud800")]
    assert write(path, queries) == 2
    assert list(read(Query, path)) == queries

    def broken() -> Iterator[Query]:
        yield Query("c")
        raise KeyError

    with pytest.raises(KeyError):
        write(path, broken())
    assert list(read(Query, path)) == queries


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.jsonl: No such file"):
        list(read(Query, tmp_path / "nothing.jsonl"))


def test_the_first_row_tells_what_a_file_holds(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write(path, [Query("Add.")])
    assert kind_of(path) is Query
    write(path, [Example(Dialogue.ask("Add."), Way.MUTATION, (), "", "", "python", ())])
    assert kind_of(path) is Example
    for text in ("", "[]\n", "{}\n", "\xff\n"):
        path.write_bytes(text.encode("latin-1"))
        assert kind_of(path) is None
