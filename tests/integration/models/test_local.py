"""A real model in this process: the smallest one, fetched once."""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from codeloop.core.dialogue import Finish, Message, Role
from codeloop.core.errors import (
    ConfigError,
    ContextOverflowError,
    DataError,
    MissingExtraError,
    ModelError,
)
from codeloop.core.protocols import Model, Reply, Sampling
from codeloop.models.catalogue import entry
from codeloop.models.local import LocalModel, LocalSettings
from codeloop.models.pull import pull

pytestmark = [pytest.mark.model, pytest.mark.timeout(300), pytest.mark.xdist_group("engine")]

CONTEXT = 1024
ASK = (Message(Role.USER, "Write a Python function that adds two numbers."),)
STORY = (Message(Role.USER, "Write a very long story about a ship. Do not stop."),)


@pytest.fixture(scope="module")
def path() -> Path:
    return pull(entry("smollm2-135m"))


@pytest.fixture(scope="module")
def model(path: Path) -> Iterator[LocalModel]:
    model = LocalModel(path, name="small", settings=LocalSettings(CONTEXT, parallel=2))
    yield model
    model.close()


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path is short enough for a socket in it; pytest's own is not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def said(
    model: Model, messages: tuple[Message, ...], sampling: Sampling, timeout_s: float = 120
) -> Reply:
    *pieces, reply = model.stream(messages, sampling, timeout_s=timeout_s)
    assert isinstance(reply, Reply)
    assert "".join(str(piece) for piece in pieces) == reply.text
    return reply


def busy_s(seconds: float) -> float:
    """Return the processor time that this process takes in so many seconds."""
    before = time.process_time()
    threading.Event().wait(seconds)
    return time.process_time() - before


def cpu_until_idle() -> float:
    """Return the processor seconds that the engine takes until it has stopped."""
    spent = 0.0
    for _ in range(300):
        busy = busy_s(0.2)
        if busy < 0.02:
            return spent
        spent += busy
    pytest.fail("it never stops")


def test_it_fills_the_protocol(model: LocalModel) -> None:
    same: Model = model
    assert (same.name, same.context_tokens) == ("small", CONTEXT)
    assert model.load_s > 0


def test_two_turns_of_a_dialogue(model: LocalModel) -> None:
    first = said(model, ASK, Sampling(temperature=0, max_tokens=24))
    second = (*ASK, Message(Role.ASSISTANT, first.text), Message(Role.USER, "Now subtract."))
    reply = said(model, second, Sampling(temperature=0, max_tokens=8))
    assert reply.text
    assert reply.usage.prompt_tokens > first.usage.prompt_tokens + first.usage.completion_tokens


def test_tokens_are_counted_as_the_engine_counts_them(model: LocalModel) -> None:
    system = Message(Role.SYSTEM, "Antworte kurz. 世界 <|im_end|>")
    for messages in (ASK, (system, *ASK), (*ASK, Message(Role.ASSISTANT, "ok"), *STORY)):
        reply = said(model, messages, Sampling(max_tokens=1))
        assert model.count_tokens(messages) == reply.usage.prompt_tokens


def test_a_seed_makes_a_reply_repeatable(model: LocalModel) -> None:
    first, same, other = (
        said(model, ASK, Sampling(temperature=1.5, max_tokens=16, seed=seed)).text
        for seed in (7, 7, 8)
    )
    assert first == same != other


def test_greedy_is_repeatable(model: LocalModel) -> None:
    sampling = Sampling(temperature=0, max_tokens=12)
    assert said(model, ASK, sampling) == said(model, ASK, sampling)


def test_stop_texts_and_length_end_a_reply(model: LocalModel) -> None:
    reply = said(model, ASK, Sampling(temperature=0, max_tokens=64, stop=("def",)))
    assert reply.finish is Finish.STOP
    assert "def" not in reply.text
    reply = said(model, ASK, Sampling(temperature=0, max_tokens=3))
    assert (reply.finish, reply.usage.completion_tokens) == (Finish.LENGTH, 3)


def test_logprobs_of_every_token(model: LocalModel) -> None:
    reply = said(model, ASK, Sampling(temperature=0, max_tokens=4, top_logprobs=3))
    assert "".join(each.token for each in reply.logprobs) == reply.text
    for each in reply.logprobs:
        assert each.logprob <= 0
        assert len(each.top) == 3
        assert each.top[0] == (each.token, each.logprob)


def test_what_does_not_fit_is_an_overflow(model: LocalModel) -> None:
    long = (Message(Role.USER, "word " * (CONTEXT + 50)),)
    assert model.count_tokens(long) > CONTEXT
    with pytest.raises(ContextOverflowError, match=f"context size .{CONTEXT} tokens"):
        said(model, long, Sampling())


def test_closing_the_iterator_stops_the_work(model: LocalModel) -> None:
    before = time.process_time()
    pieces = model.stream(STORY, Sampling(max_tokens=900))
    for _ in range(90):
        next(pieces)
    spent = time.process_time() - before
    pieces.close()
    assert cpu_until_idle() < spent  # the rest takes nine times as much


def test_the_deadline_stops_the_work_even_in_the_prompt(model: LocalModel) -> None:
    long, other = ((Message(Role.USER, word * 320),) for word in ("one two three ", "six two ten "))
    with pytest.raises(ModelError, match=r"within 0\.2 s"):
        said(model, long, Sampling(), timeout_s=0.2)
    spent = cpu_until_idle()
    before = time.process_time()
    said(model, other, Sampling(max_tokens=1))
    assert spent < (time.process_time() - before) / 2


def test_calls_in_flight_do_not_mix(model: LocalModel) -> None:
    numbers = range(6)
    sampling = Sampling(temperature=0, max_tokens=6)

    def ask(number: int) -> str:
        text = f"Say the number {number} and nothing else."
        return said(model, (Message(Role.USER, text),), sampling).text

    alone = [ask(number) for number in numbers]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(ask, numbers))
    # batching rounds otherwise than one alone does, so a text may part late: its start may not
    assert [text[:2] for text in together] == [text[:2] for text in alone]


def test_it_is_silent_and_leaves_signals_and_files_alone(
    path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, short: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(short))
    monkeypatch.setattr("tempfile.tempdir", None)
    caught = signals_caught()
    model = LocalModel(path, settings=LocalSettings(512))
    (folder,) = short.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    said(model, ASK, Sampling(max_tokens=2))
    assert signals_caught() == caught
    model.close()
    model.close()
    assert list(short.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    with pytest.raises(ModelError, match="closed"):
        said(model, ASK, Sampling())


def signals_caught() -> int:
    """Return the mask of the signals 1 to 31 that have handlers."""
    text = Path("/proc/self/status").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith("SigCgt"))
    return int(line.split()[1], 16) & 0x7FFFFFFF


def test_closing_a_model_at_work_takes_no_time(path: Path) -> None:
    model = LocalModel(path, settings=LocalSettings(512))
    pieces = model.stream(STORY, Sampling(max_tokens=400))
    next(pieces)
    with ThreadPoolExecutor(1) as pool:
        rest = pool.submit(list, pieces)
        start = time.monotonic()
        model.close()
        assert time.monotonic() - start < 5
        with pytest.raises(ModelError, match="closed"):
            rest.result(10)


def test_the_model_caps_the_context(path: Path) -> None:
    model = LocalModel(path, settings=LocalSettings(10**6, threads=1))
    assert model.context_tokens == 8192
    model.close()


def test_a_file_that_is_cut_never_reaches_the_engine(path: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.gguf"
    with path.open("rb") as file:
        short.write_bytes(file.read(30_000_000))
    with pytest.raises(DataError, match="truncated: it has 30000000 of at least 98362432 bytes"):
        LocalModel(short)


def test_an_architecture_that_nobody_knows_is_one_line(
    path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = path.read_bytes()
    strange = tmp_path / "strange.gguf"
    strange.write_bytes(data.replace(b"llama", b"lxama"))
    with pytest.raises(ModelError, match=r"llama\.cpp cannot load it"):
        LocalModel(strange)
    assert capfd.readouterr() == ("", "")


def test_settings_that_cannot_be_are_refused(path: Path) -> None:
    for settings in (LocalSettings(0), LocalSettings(parallel=0)):
        with pytest.raises(ConfigError):
            LocalModel(path, settings=settings)


def test_without_the_engine_the_extra_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'codeloop\[local\]'"):
        LocalModel(path)
