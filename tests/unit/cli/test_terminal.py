import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.cli.terminal import Cleaner, clean

HOSTILE = [
    ("\x1b[31mred\x1b[0m", "red"),
    ("\x1b]0;title\x07x", "x"),
    ("\x1b]52;c;aGk=\x1b\\x", "x"),
    ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
    ("\x1bPq#0\x1b\\x", "x"),
    ("\x1bc\x1b(Bx", "x"),
    ("a\x08b\x07c\x00d\x7f", "abcd"),
    ("\x9b31mx", "31mx"),
    ("50%\r100%\r\n", "50%\n100%\n"),
    ("tab\tline\n", "tab\tline\n"),
]


@pytest.mark.parametrize(("text", "expected"), HOSTILE)
def test_no_control_sequence_reaches_the_terminal(text: str, expected: str) -> None:
    assert clean(text) == expected


@given(
    st.lists(st.sampled_from([text for text, _ in HOSTILE] + ["é", "ok"]), max_size=6), st.data()
)
def test_chunks_make_no_difference(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts) + "end"
    cleaner, out, at = Cleaner(), "", 0
    while at < len(text):
        size = data.draw(st.integers(1, 5))
        out += cleaner.clean(text[at : at + size])
        at += size
    assert out == clean(text)


@given(st.text(alphabet="\x1b[]P\\\x07;0m\r\nx\x9c", max_size=40))
def test_nothing_gets_through(text: str) -> None:
    assert not set(clean(text)) & {"\x1b", "\x07", "\r", "\x9c"}


def test_a_sequence_that_never_ends_does_not_hold_the_text_for_ever() -> None:
    cleaner = Cleaner()
    assert "x" * 100 in cleaner.clean("\x1b]0;" + "x" * 5000)
