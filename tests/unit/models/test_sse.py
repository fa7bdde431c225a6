"""Events come out the same, however their bytes were cut."""

import json
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.errors import ModelError
from codeloop.models.sse import EventParser

LINES = st.lists(
    st.one_of(
        st.binary(max_size=12).map(lambda data: b"data:" + data.translate(None, b"\r\n")),
        st.sampled_from([b"", b"data", b"data: ", b": comment", b"event: x", b"id:1", b"datax: y"]),
    ),
    max_size=12,
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


def events_of(parts: list[bytes]) -> list[bytes]:
    parser = EventParser()
    events = [event for part in parts for event in parser.feed(part)]
    return events + parser.end()


def expected(lines: list[bytes]) -> list[bytes]:
    """What the specification says of lines that were already taken apart."""
    events: list[bytes] = []
    data: list[bytes] = []
    for line in [*lines, b""]:
        name, _, value = line.partition(b":")
        if not line and data:
            events.append(b"\n".join(data))
            data = []
        elif name == b"data":
            data.append(value.removeprefix(b" "))
    return events


@given(LINES, ENDS, st.lists(st.integers(0, 300), max_size=10))
def test_any_cut_gives_the_events_of_the_specification(
    lines: list[bytes], end: bytes, cuts: list[int]
) -> None:
    data = b"".join(line + end for line in lines)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    parts = [data[a:b] for a, b in pairwise(places)]
    assert events_of(parts) == expected(lines)
    assert events_of([data[at : at + 1] for at in range(len(data))]) == expected(lines)


@given(st.text(max_size=40), st.integers(1, 9))
def test_text_survives_cuts_inside_its_characters(text: str, size: int) -> None:
    data = b"data: " + json.dumps(text, ensure_ascii=False).encode() + b"\r\n\r\n"
    (event,) = events_of([data[at : at + size] for at in range(0, len(data), size)])
    assert json.loads(event) == text


def test_an_event_comes_out_as_soon_as_it_ends() -> None:
    parser = EventParser()
    assert parser.feed(b"data: a\r\n\r") == [b"a"]
    assert parser.feed(b"\ndata: b\n") == []
    assert parser.feed(b"\n") == [b"b"]


def test_a_byte_order_mark_is_skipped() -> None:
    assert events_of([b"\xef\xbb\xbfdata: a\n\n"]) == [b"a"]
    assert events_of([b"\xef", b"\xbb\xbfdata: a\n\n"]) == [b"a"]


def test_an_event_that_the_end_cuts_short_is_given_all_the_same() -> None:
    assert events_of([b"data: a\n\ndata: b"]) == [b"a", b"b"]


@pytest.mark.parametrize("piece", [b"x", b"data: x\n"])
def test_what_is_too_long_is_refused(piece: bytes) -> None:
    parser = EventParser(event_bytes=1000)
    parser.feed(piece)
    with pytest.raises(ModelError, match="more than 1000 bytes"):
        parser.feed(piece * 1000)


def test_a_long_line_in_small_pieces_takes_linear_time() -> None:
    parser = EventParser()
    start = time.process_time()
    for _ in range(200_000):
        parser.feed(b"x" * 20)
    assert time.process_time() - start < 5
