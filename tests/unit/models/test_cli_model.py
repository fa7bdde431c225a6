"""`codeloop model`: what a person sees of models."""

import argparse
import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from codeloop.core.errors import ConfigError, DataError, ModelError
from codeloop.models.catalogue import entries

COMMAND = Path(__file__).parents[3] / "src" / "codeloop" / "cli" / "model.py"


@pytest.fixture(scope="module")
def model() -> ModuleType:
    """The command alone, so that the other commands need not work."""
    spec = spec_from_file_location("codeloop_cli_model", COMMAND)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODELOOP_HOME", str(tmp_path))
    monkeypatch.delenv("CODELOOP_API_KEY", raising=False)
    return tmp_path


def run(model: ModuleType, *argv: str) -> int:
    parser = argparse.ArgumentParser()
    model.add_parser(parser.add_subparsers())
    args = parser.parse_args(["model", *argv])
    status: int = args.main(args)
    return status


def test_list_shows_what_there_is(
    model: ModuleType, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    (home / "models").mkdir()
    (home / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf").touch()
    assert run(model, "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "size", "licence", "here", "from"]
    assert lines[1].startswith("qwen2.5-coder-0.5b (default)  ")
    (small,) = (line for line in lines if line.startswith("smollm2"))
    assert "  yes  " in small
    (unknown,) = (line for line in lines if line.startswith("opencodeinterpreter"))
    assert unknown.split()[1:4] == ["*", "not", "known"]
    assert "never installed or run" in "\n".join(lines)


def test_list_as_json(model: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    run(model, "list", "--json")
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [each.name for each in entries()]
    assert {row["verified"] for row in rows} == {True, False}


def test_pull_from_a_wrong_file_says_why(model: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError, match="it has 4 bytes, not 98362432"):
        run(model, "pull", "smollm2-135m", "--from", str(tmp_path / "x.gguf"))


def test_pull_without_a_hash_takes_consent(model: ModuleType) -> None:
    with pytest.raises(ConfigError, match="--allow-unverified"):
        run(model, "pull", "opencodeinterpreter-ds-6.7b")


def test_pull_and_rm(
    model: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path
) -> None:
    name = "opencodeinterpreter-ds-6.7b"
    source = tmp_path / "x.gguf"
    source.write_bytes(bytes(3_000_000))
    assert run(model, "pull", name, "--from", str(source), "--allow-unverified") == 0
    out, err = capsys.readouterr()
    assert out.strip() == str(home / "models" / "OpenCodeInterpreter-DS-6.7B.Q4_K_M.gguf")
    assert f"{name} from {source}" in err
    run(model, "rm", name)
    assert capsys.readouterr().out == "3 MB freed\n"
    run(model, "rm", name)
    assert capsys.readouterr().out == f"{name} was not here\n"


def test_progress_without_a_terminal_is_a_line_now_and_then(
    model: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.0, 1.0, 7.0, 7.0])
    monkeypatch.setattr(model.time, "monotonic", lambda: next(times))
    with model._watch(entries()[0]) as watch:
        watch.progress(10**6, 10**7)
        watch.progress(2 * 10**6, 10**7)
    assert capsys.readouterr().err == "2 of 10 MB\n"


def test_progress_on_a_terminal_is_a_bar(
    model: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with model._watch(entries()[0]) as watch:
        watch.say("from [somewhere]")
        watch.progress(10**6, 10**7)
    assert "from [somewhere]" in capsys.readouterr().err


def test_test_says_how_a_model_answers(
    model: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    script = tmp_path / "says.json"
    script.write_text('["A unit test tests a unit."]')
    assert run(model, "test", f"scripted:{script}") == 0
    out = capsys.readouterr().out
    assert "A unit test tests a unit." in out
    assert "first token after" in out
    assert "ended by stop" in out


def test_test_of_an_empty_reply_is_a_failure(
    model: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    script = tmp_path / "says.json"
    script.write_text('[""]')
    assert run(model, "test", f"scripted:{script}") == 1
    assert "nothing at all" in capsys.readouterr().out


def test_test_of_what_is_not_here_says_what_to_do(model: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="model pull"):
        run(model, "test")
    with pytest.raises(DataError, match="No such file"):
        run(model, "test", str(tmp_path / "x.gguf"))


def test_help_has_examples(model: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        run(model, "--help")
    assert "codeloop model test --base-url" in capsys.readouterr().out
