"""Why a machine cannot isolate, in words that help."""

import errno
import os
import sys
from pathlib import Path

import pytest

from codeloop.core.errors import IsolationError
from codeloop.sandbox.isolation import machine


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the kernel's settings."""
    switches = tuple(
        (tmp_path / path.name, value, reason) for path, value, reason in machine._SWITCHES
    )
    monkeypatch.setattr(machine, "_SWITCHES", switches)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("max_user_namespaces", "0", "user.max_user_namespaces=15000"),
        ("apparmor_restrict_unprivileged_userns", "1", "apparmor_restrict_unprivileged_userns=0"),
        ("unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
    ],
)
def test_a_setting_is_named_with_its_remedy(
    name: str, value: str, word: str, settings: Path
) -> None:
    (settings / name).write_text(f"{value}\n", encoding="ascii")
    text = machine.explain("namespace", errno.EPERM, "Operation not permitted")
    assert word in text
    assert "Operation not permitted" in text


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (errno.EPERM, "seccomp=unconfined"),
        (errno.ENOSPC, "too many"),
        (errno.EINVAL, "CONFIG_USER_NS"),
        (errno.EIO, "no further reason"),
        (None, "no further reason"),
    ],
)
def test_an_error_is_explained(code: int | None, word: str, settings: Path) -> None:
    assert word in machine.explain("namespace", code, "why")


def test_a_root_that_cannot_be_built_says_what_failed() -> None:
    assert "/usr: busy" in machine.explain("root", errno.EBUSY, "/usr: busy")


def test_another_system_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(IsolationError, match="needs Linux"):
        machine.require_linux()


@pytest.mark.parametrize(
    ("release", "processor", "word"),
    [("5.10.0-amd64", "x86_64", "5.12"), ("6.1.0", "riscv64", "riscv64")],
)
def test_an_old_or_unknown_machine_is_refused(
    release: str, processor: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = os.uname_result(("Linux", "here", release, "#1", processor))
    monkeypatch.setattr(os, "uname", lambda: system)
    with pytest.raises(IsolationError, match=word):
        machine.require_linux()
