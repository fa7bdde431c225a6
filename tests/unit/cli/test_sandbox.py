"""What `codeloop sandbox serve` says before it opens anything."""

import sys
from pathlib import Path

import pytest

from codeloop.cli import EXIT_USAGE, main


@pytest.mark.parametrize("data", [b"", b" \n", b"two\nlines", "ä".encode(), b"\xff", b"a\x00b"])
def test_a_file_without_a_token_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes
) -> None:
    path = tmp_path / "token"
    path.write_bytes(data)
    assert main(["sandbox", "serve", "--token-file", str(path)]) == EXIT_USAGE
    assert str(path) in capsys.readouterr().err


def test_an_open_node_without_a_token_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox", "serve", "--host", "0.0.0.0"]) == EXIT_USAGE
    assert "give the node a token" in capsys.readouterr().err


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("codeloop.server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    assert main(["sandbox", "serve"]) == EXIT_USAGE
    assert "pip install 'codeloop[web]'" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--slots", "0"], ["--room", "-1"], ["--token-file", "/no"]])
def test_a_wrong_flag_is_told(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["sandbox", "serve", *options])
    assert ended.value.code == EXIT_USAGE
    assert options[0] in capsys.readouterr().err
