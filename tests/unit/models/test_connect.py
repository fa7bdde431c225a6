"""A name leads to its model, or to words that help."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from codeloop.core.dialogue import Finish, Message, Role
from codeloop.core.errors import ConfigError, DataError, ModelError
from codeloop.core.protocols import Model, Reply, Sampling
from codeloop.models import connect
from codeloop.models.openai import OpenAIModel

ASK = (Message(Role.USER, "hi"),)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODELOOP_HOME", str(tmp_path / "home"))
    for name in ("CODELOOP_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def said(model: Model) -> Reply:
    *_, reply = model.stream(ASK, Sampling())
    assert isinstance(reply, Reply)
    return reply


def test_importing_is_cheap() -> None:
    program = (
        "import sys, codeloop.models, codeloop.models.catalogue, codeloop.cli.model;"
        "heavy = {'urllib3', 'rich', 'xllamacpp', 'ssl', 'socket', 'http.client'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    # the command line's own imports are not ours to judge: a stand-in for its package
    stand_in = "import sys, types; p = types.ModuleType('codeloop.cli'); p.__path__ = [%r];"
    stand_in %= str(Path(__file__).parents[3] / "src" / "codeloop" / "cli")
    stand_in += "sys.modules['codeloop.cli'] = p;"
    done = subprocess.run(
        [sys.executable, "-c", stand_in + program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_scripted_file_as_a_list(tmp_path: Path) -> None:
    path = tmp_path / "says.json"
    path.write_text(json.dumps(["one", {"text": "two", "finish": "length"}, {"error": "down"}]))
    model = connect(f"scripted:{path}")
    assert (model.name, said(model).text) == ("says", "one")
    assert said(model).finish is Finish.LENGTH
    with pytest.raises(ModelError, match="down"):
        said(model)


def test_a_scripted_file_as_lines(tmp_path: Path) -> None:
    path = tmp_path / "says.jsonl"
    path.write_text('"one"\n\n{"text": "two"}\n')
    model = connect(f"scripted:{path}")
    assert [said(model).text, said(model).text] == ["one", "two"]


@pytest.mark.parametrize("text", ["[1]", '["a"', '"a"\nb\n', '{"text": 1}', '[{"finish": "x"}]'])
def test_a_script_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "says.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"says.json.*not a"):
        connect(f"scripted:{path}")
    with pytest.raises(DataError, match="No such file"):
        connect(f"scripted:{path}x")


def test_record_goes_around_any_model_and_replay_needs_none(tmp_path: Path) -> None:
    script, recording = tmp_path / "says.json", tmp_path / "calls.jsonl"
    script.write_text('["hello"]')
    said(connect(f"record:{recording}:scripted:{script}"))
    assert said(connect(f"replay:{recording}")).text == "hello"
    assert said(connect(f"replay:{recording}:says")).text == "hello"


def test_record_without_a_model_asks_for_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"record:.*:NAME"):
        connect(f"record:{tmp_path}/x.jsonl")


def test_a_base_url_goes_before_the_catalogue() -> None:
    model = connect("qwen2.5-coder-0.5b", base_url="http://h", context_tokens=99)
    assert isinstance(model, OpenAIModel)
    assert model.context_tokens == 99


@pytest.mark.parametrize(
    ("given", "own", "theirs", "sent"),
    [
        ("a", "b", "c", "a"),
        (None, "b", "c", "b"),
        (None, None, "c", "c"),
        (None, "", "", None),
        (None, None, None, None),
    ],
)
def test_where_the_key_comes_from(
    given: str | None,
    own: str | None,
    theirs: str | None,
    sent: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("CODELOOP_API_KEY", own), ("OPENAI_API_KEY", theirs)):
        if value is not None:
            monkeypatch.setenv(name, value)
    model = connect("m", base_url="http://h", api_key=given)
    assert isinstance(model, OpenAIModel)
    assert model._endpoint.api_key == sent


def test_a_model_that_is_not_pulled_says_how_to_pull_it() -> None:
    with pytest.raises(ConfigError, match=r"codeloop model pull qwen2\.5-coder-1\.5b"):
        connect("qwen2.5-coder-1.5b")


def test_an_unknown_name_gets_the_nearest_and_the_kinds() -> None:
    with pytest.raises(ConfigError, match=r"nearest is 'qwen2.5-coder-7b'.*base URL.*replay:FILE"):
        connect("qwen2.5-coder-7")
    with pytest.raises(ConfigError, match="there are qwen2"):
        connect("xyz")


def test_a_file_that_is_no_model_is_refused_before_the_engine_sees_it(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    with pytest.raises(DataError, match="No such file"):
        connect(str(path))
    path.write_text("<html>")
    with pytest.raises(DataError, match="not a GGUF file"):
        connect(str(path))
