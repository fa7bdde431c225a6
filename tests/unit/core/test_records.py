import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core import records
from codeloop.core.dialogue import Cell, Dialogue, Feedback, Message, Role, Skipped, Source, Turn
from codeloop.core.errors import DataError
from codeloop.core.execution import Display, ExecutionResult, GuestError, Output, Status

TEXT = st.text(max_size=20)
RESULTS = st.builds(
    ExecutionResult,
    status=st.sampled_from(Status),
    stdout=st.builds(Output, TEXT, st.integers(0), st.booleans()),
    error=st.none() | st.builds(GuestError, TEXT, TEXT, st.none() | st.integers()),
    displays=st.lists(
        st.builds(Display, st.lists(st.tuples(TEXT, TEXT)).map(tuple)), max_size=2
    ).map(tuple),
    exit_code=st.none() | st.integers(0, 255),
    wall_s=st.floats(allow_nan=False),
)
CELLS = st.builds(
    Cell, TEXT, TEXT, result=st.none() | RESULTS, skipped=st.none() | st.sampled_from(Skipped)
)
TURNS = st.builds(
    Turn,
    reply=TEXT,
    cells=st.lists(CELLS, max_size=2).map(tuple),
    feedback=st.lists(st.builds(Feedback, st.sampled_from(Source), TEXT), max_size=2).map(tuple),
)
DIALOGUES = st.builds(
    Dialogue,
    opening=st.lists(st.builds(Message, st.sampled_from(Role), TEXT), max_size=2).map(tuple),
    turns=st.lists(TURNS, max_size=2).map(tuple),
)


@given(DIALOGUES)
def test_a_dialogue_survives_the_round_trip(dialogue: Dialogue) -> None:
    line = records.encode(dialogue)
    assert "\n" not in line
    assert records.decode(line) == dialogue


def test_a_lone_surrogate_survives_the_round_trip(tmp_path: Path) -> None:
    dialogue = Dialogue.ask("a\ud800b")
    records.append(tmp_path / "d.jsonl", [dialogue])
    assert list(records.read(tmp_path / "d.jsonl")) == [dialogue]


def test_a_file_grows_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    first, second = Dialogue.ask("é\n"), Dialogue.ask("b")
    records.append(path, [first])
    records.append(path, [second])
    assert list(records.read(path)) == [first, second]
    assert json.loads(path.read_text(encoding="utf-8").splitlines()[0])["schema"] == 1


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "not a dialogue"),
        ("[]", "not a JSON object"),
        ('{"opening": []}', "schema version None"),
        ('{"schema": 99, "opening": []}', "schema version 99"),
        ('{"schema": 1}', "opening"),
        ('{"schema": 1, "opening": [], "extra": 1}', "no field 'extra'"),
        ('{"schema": 1, "opening": 3}', "opening should be a list, not int"),
        ('{"schema": 1, "opening": [{"role": "robot", "content": ""}]}', "known are system"),
        ('{"schema": 1, "opening": [{"role": "user", "content": 1}]}', "content should be str"),
        ('{"schema": 1, "opening": [[]]}', "opening[0] should be an object"),
        ("[" * 100_000, "not a dialogue"),
    ],
)
def test_a_bad_line_is_named_with_its_place(tmp_path: Path, line: str, complaint: str) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text(f"\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        list(records.read(path))
    assert f"{path}:2: " in str(caught.value)
    assert complaint in str(caught.value)


def test_bytes_that_are_no_text_are_named_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_bytes(b'{"schema": 1, "opening": [], "id": "\xff"}\n')
    with pytest.raises(DataError, match=r"d\.jsonl:1: not a dialogue"):
        list(records.read(path))


def test_a_file_that_cannot_be_opened_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        list(records.read(tmp_path / "none.jsonl"))
    with pytest.raises(DataError, match="directory"):
        records.append(tmp_path, [Dialogue.ask("x")])
