"""What was recorded is said again, piece by piece."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeloop.core.dialogue import Finish, Message, Role, Usage
from codeloop.core.errors import ConfigError, DataError, ModelError
from codeloop.core.protocols import Model, Reply, Sampling, TokenLogprob
from codeloop.models.recording import RecordingModel, ReplayModel
from codeloop.models.scripted import ScriptedModel

MESSAGES = st.lists(st.builds(Message, st.sampled_from(Role), st.text()), max_size=4).map(tuple)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SAMPLINGS = st.builds(
    Sampling,
    temperature=st.none() | NUMBERS,
    top_p=st.none() | NUMBERS,
    max_tokens=st.none() | st.integers(0, 9),
    seed=st.none() | st.integers(),
    stop=st.lists(st.text(), max_size=2).map(tuple),
    top_logprobs=st.none() | st.integers(0, 9),
)
LOGPROBS = st.builds(
    TokenLogprob, st.text(), NUMBERS, st.lists(st.tuples(st.text(), NUMBERS), max_size=2).map(tuple)
)
REPLIES = st.builds(
    Reply,
    st.text(),
    st.sampled_from(Finish),
    st.builds(Usage, st.integers(0), st.integers(0)),
    st.lists(LOGPROBS, max_size=2).map(tuple),
)


def ask(text: str) -> tuple[Message, ...]:
    return (Message(Role.USER, text),)


def said(
    model: Model, messages: Sequence[Message], sampling: Sampling = Sampling()
) -> list[str | Reply]:
    return list(model.stream(messages, sampling))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls" / "a.jsonl"


@settings(deadline=None)
@given(MESSAGES, SAMPLINGS, REPLIES, st.integers(1, 5))
def test_a_round_trip_keeps_everything(
    tmp_path_factory: pytest.TempPathFactory,
    messages: tuple[Message, ...],
    sampling: Sampling,
    reply: Reply,
    piece_chars: int,
) -> None:
    path = tmp_path_factory.mktemp("r") / "a.jsonl"
    recording = RecordingModel(
        ScriptedModel([reply], name="n", context_tokens=10**9, piece_chars=piece_chars), path
    )
    parts = said(recording, messages, sampling)
    tokens = recording.count_tokens(messages)
    replay = ReplayModel(path)
    assert said(replay, messages, sampling) == parts
    assert (replay.name, replay.context_tokens) == ("n", 10**9)
    assert replay.count_tokens(messages) == tokens


def test_the_same_call_gets_its_replies_in_order_then_the_last(path: Path) -> None:
    recording = RecordingModel(ScriptedModel(["one", "two"]), path)
    for _ in range(2):
        said(recording, ask("x"))
    replay = ReplayModel(path)
    assert [said(replay, ask("x"))[0] for _ in range(3)] == ["one", "two", "two"]


def test_what_failed_is_not_recorded(path: Path) -> None:
    with pytest.raises(ModelError):
        said(RecordingModel(ScriptedModel([ModelError("down")]), path), ask("x"))
    assert not path.exists()


def test_of_a_call_that_was_closed_it_is_recorded_what_came_until_then(path: Path) -> None:
    pieces = RecordingModel(ScriptedModel(["text"], piece_chars=1), path).stream(
        ask("x"), Sampling()
    )
    assert [next(pieces), next(pieces)] == ["t", "e"]
    pieces.close()
    *again, reply = said(ReplayModel(path), ask("x"))
    assert again == ["t", "e"]
    assert isinstance(reply, Reply)
    assert (reply.text, reply.finish) == ("te", Finish.CANCELLED)
    assert reply.usage.completion_tokens > 0


@pytest.mark.parametrize(
    ("messages", "sampling", "words"),
    [
        (ask("x"), Sampling(temperature=1), "sampling differs: temperature is 1, was None"),
        (ask("y"), Sampling(), "message 1 differs: from character 1 it is 'y', was 'x'"),
        ((), Sampling(), "ends after message 0; the recorded one has 1"),
        (ask("x") + ask("y"), Sampling(), "message 2 is one more"),
        ((Message(Role.SYSTEM, "x"),), Sampling(), "it is of system, was of user"),
    ],
)
def test_an_unknown_call_says_how_it_differs(
    path: Path, messages: tuple[Message, ...], sampling: Sampling, words: str
) -> None:
    said(RecordingModel(ScriptedModel(["a"]), path), ask("x"))
    with pytest.raises(ModelError, match=words):
        said(ReplayModel(path), messages, sampling)


def test_an_empty_recording_knows_no_call(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.touch()
    with pytest.raises(ModelError, match="it is empty"):
        said(ReplayModel(path), ask("x"))


def test_several_models_in_one_file_need_a_name(path: Path) -> None:
    for name in ("a", "b"):
        said(RecordingModel(ScriptedModel([name], name=name), path), ask("x"))
    with pytest.raises(ConfigError, match=r"several models \(a, b\)"):
        ReplayModel(path)
    assert said(ReplayModel(path, name="b"), ask("x"))[0] == "b"


def test_a_line_that_a_crash_cut_short_is_passed_over(path: Path) -> None:
    recording = RecordingModel(ScriptedModel(["one", "two"]), path)
    said(recording, ask("x"))
    whole = path.read_bytes()
    for cut in (1, 5, 12, len(whole) // 2, len(whole) - 2):
        path.write_bytes(whole + whole[:cut])
        assert said(ReplayModel(path), ask("x"))[0] == "one"
    said(recording, ask("y"))
    assert said(ReplayModel(path), ask("y"))[0] == "two"


@pytest.mark.parametrize(
    "line",
    [
        "oops",
        "[1]",
        '{"a": 1}',
        '{"format": 9}',
        '{"format":1,"model":"m"}',
        "{]}}",
        '{"format":1}}',
    ],
)
def test_what_is_no_recording_is_named_by_its_line(path: Path, line: str) -> None:
    said(RecordingModel(ScriptedModel(["one"]), path), ask("x"))
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=r"a\.jsonl:2: not a recorded call"):
        ReplayModel(path)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        ReplayModel(tmp_path / "none.jsonl")


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot record"):
        said(RecordingModel(ScriptedModel(["a"]), tmp_path / "file" / "a.jsonl"), ask("x"))


def test_threads_record_whole_lines_into_one_file(path: Path) -> None:
    model = ScriptedModel(lambda messages: messages[0].content * 500)
    recordings = [RecordingModel(model, path) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        for number in range(64):
            pool.submit(said, recordings[number % 4], ask(str(number)))
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert sorted(int(row["messages"][0][1]) for row in rows) == list(range(64))
