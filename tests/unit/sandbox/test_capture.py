"""What is kept of a stream, however it is cut into pieces."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codeloop.sandbox.capture import Capture

TEXTS = st.text(alphabet="aé€😀\n\0", max_size=200)
DATA = st.one_of(TEXTS.map(str.encode), st.binary(max_size=300))


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A stream, whole and cut into pieces."""
    data = draw(DATA)
    cuts = sorted({0, len(data), *draw(st.lists(st.integers(0, len(data)), max_size=10))})
    return data, [data[start:end] for start, end in pairwise(cuts)]


@given(streams(), st.integers(0, 400))
@example((b"abcdef", [b"abcdef"]), 5)
def test_what_fits_is_kept_whole_and_shown_whole(
    stream: tuple[bytes, list[bytes]], keep: int
) -> None:
    data, pieces = stream
    capture = Capture(keep)
    shown = "".join([capture.feed(piece) for piece in pieces]) + capture.finish()
    output = capture.output()
    assert output.total_bytes == len(data)
    assert output.truncated is (len(data) > keep)
    assert shown == data[:keep].decode(errors="replace")
    if not output.truncated:
        assert output.text == shown


@given(streams(), st.integers(0, 100))
def test_what_does_not_fit_keeps_head_and_tail(
    stream: tuple[bytes, list[bytes]], keep: int
) -> None:
    data, pieces = stream
    capture = Capture(keep)
    for piece in pieces:
        capture.feed(piece)
    output = capture.output()
    if not output.truncated:
        return
    head, rest = output.text.split("\n... ", 1) if keep < 2 else _cut(output.text)
    number, tail = rest.split(" bytes left out ...\n", 1)
    assert data.decode(errors="replace").startswith(head)
    assert data.decode(errors="replace").endswith(tail)
    assert int(number) >= len(data) - keep
    assert int(number) <= len(data) - keep + 7  # two characters that the cuts went through


def _cut(text: str) -> tuple[str, str]:
    head, _, rest = text.partition("\n... ")
    return head, rest


@given(TEXTS, st.integers(2, 60))
def test_a_cut_never_goes_through_a_character(text: str, keep: int) -> None:
    capture = Capture(keep)
    capture.feed(text.encode())
    assert "\ufffd" not in capture.output().text


def test_memory_stays_small_however_long_the_stream() -> None:
    capture = Capture(1000)
    for _ in range(1000):
        capture.feed(b"x" * 1000)
    assert capture.total_bytes == 1_000_000
    assert len(capture._start) + len(capture._recent) <= 4000


@pytest.mark.parametrize(
    ("data", "keep", "text"),
    [
        (b"", 10, ""),
        (b"abc", 3, "abc"),
        (b"abcdefgh", 4, "ab\n... 4 bytes left out ...\ngh"),
        (b"abcdefgh", 0, "\n... 8 bytes left out ...\n"),
        ("ééé".encode(), 3, "\n... 6 bytes left out ...\n"),
        (b"\xff\xff\xff\xff", 2, "\ufffd\n... 2 bytes left out ...\n\ufffd"),
    ],
)
def test_by_example(data: bytes, keep: int, text: str) -> None:
    capture = Capture(keep)
    capture.feed(data)
    assert capture.output().text == text
