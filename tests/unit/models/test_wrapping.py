import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.dialogue import Finish, Message, Role
from codeloop.core.errors import ModelError
from codeloop.core.protocols import Reply, Sampling
from codeloop.models.recording import ReplayModel
from codeloop.models.scripted import ScriptedModel
from codeloop.models.wrapping import KeepingModel, UntilCodeModel

ASKED = [Message(Role.USER, "Add.")]
CODE = "Here:\n```python\ndef add(a, b):\n    return a + b\n```\n"


class Pieces:
    """Says one text in the pieces that it is given; counts a token a character."""

    name = "pieces"
    context_tokens = None

    def __init__(self, pieces: Sequence[str], *, ends: bool = True) -> None:
        self.pieces = pieces
        self.ends = ends
        self.said = 0
        self.closed = False

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return sum(len(message.content) for message in messages)

    def stream(
        self, messages: Sequence[Message], sampling: Sampling, *, timeout_s: float | None = None
    ) -> Iterator[str | Reply]:
        try:
            for piece in self.pieces:
                self.said += 1
                yield piece
            if self.ends:
                yield Reply("".join(self.pieces), Finish.LENGTH)
        finally:
            self.closed = True

    def close(self) -> None: ...


def said(model: UntilCodeModel | KeepingModel, **sampling: int) -> tuple[list[str], Reply]:
    *pieces, reply = model.stream(ASKED, Sampling(**sampling))  # type: ignore[arg-type]
    assert isinstance(reply, Reply)
    return [str(piece) for piece in pieces], reply


def test_a_reply_ends_with_its_first_whole_code_block_and_the_rest_is_not_asked() -> None:
    model = Pieces([CODE, "It adds.\n", "More.\n"])
    pieces, reply = said(UntilCodeModel(model))  # type: ignore[arg-type]
    assert "".join(pieces) == reply.text == CODE
    assert reply.finish is Finish.STOP
    assert (model.said, model.closed) == (1, True)
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (4, len(CODE))


@given(st.lists(st.integers(0, len(CODE) + 9), max_size=8))
def test_however_a_reply_comes_in_pieces_it_is_cut_at_the_same_place(cuts: list[int]) -> None:
    text = CODE + "It adds.\n"
    at = [0, *sorted(cuts), len(text)]
    model = Pieces([text[one:two] for one, two in itertools.pairwise(at)])
    pieces, reply = said(UntilCodeModel(model))  # type: ignore[arg-type]
    assert "".join(pieces) == reply.text == CODE


@pytest.mark.parametrize(
    "text",
    [
        "No code at all.\n",
        "```python\nx = 1\n",
        "```\n\n```\nthen words",
        '```python\na = """\n```\n',
    ],
)
def test_a_reply_without_a_whole_block_is_passed_on_as_it_is(text: str) -> None:
    pieces, reply = said(UntilCodeModel(Pieces([text])))  # type: ignore[arg-type]
    assert "".join(pieces) == reply.text == text
    assert reply.finish is Finish.LENGTH


def test_a_reply_that_breaks_off_stays_broken_off() -> None:
    parts = list(UntilCodeModel(Pieces(["a"], ends=False)).stream(ASKED, Sampling()))  # type: ignore[arg-type]
    assert parts == ["a"]


def test_what_was_asked_before_is_not_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    model = KeepingModel(ScriptedModel(["one", "two"]), path)
    first, again, other = said(model), said(model), said(model, seed=2)
    assert first == again
    assert [first[1].text, other[1].text] == ["one", "two"]
    later = KeepingModel(ScriptedModel([]), path)
    assert said(later)[1] == first[1]
    assert said(later, seed=2)[1] == other[1]
    with pytest.raises(ModelError):
        said(later, seed=3)


def cut_after_one_piece(model: KeepingModel) -> str:
    stream = model.stream(ASKED, Sampling())
    piece = next(stream)
    stream.close()
    return str(piece)


def test_what_was_cut_is_said_again_to_who_cuts_it_there_and_can_be_replayed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "kept.jsonl"
    scripted = ScriptedModel(["one and two"], piece_chars=3)
    assert cut_after_one_piece(KeepingModel(scripted, path)) == "one"
    assert said(ReplayModel(path))[1].finish is Finish.CANCELLED  # type: ignore[arg-type]
    kept = path.read_bytes()
    assert cut_after_one_piece(KeepingModel(ScriptedModel([]), path)) == "one"
    assert path.read_bytes() == kept


def test_who_wants_more_of_what_was_cut_gets_the_rest_from_the_model(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    model = KeepingModel(ScriptedModel(["one and two"] * 2, piece_chars=3), path)
    cut_after_one_piece(model)
    pieces, reply = said(model)
    assert "".join(pieces) == reply.text == "one and two"
    assert said(KeepingModel(ScriptedModel([]), path))[1] == reply  # the whole one is kept


def test_more_of_what_was_cut_is_not_put_together_from_two_replies(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    model = KeepingModel(ScriptedModel(["one and two", "once"], piece_chars=3), path)
    cut_after_one_piece(model)
    with pytest.raises(ModelError, match="something else"):
        said(model)


def test_what_was_cut_on_purpose_is_kept_apart_from_what_was_not(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    whole = CODE + "It adds.\n"
    cut = KeepingModel(UntilCodeModel(ScriptedModel([whole])), path)
    assert said(cut)[1].text == CODE
    assert said(KeepingModel(ScriptedModel([whole]), path))[1].text == whole
