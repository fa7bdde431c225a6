"""Which Jupyter kernels are found, and how they would be started."""

import json
from pathlib import Path

import pytest

from codeloop.core.errors import ConfigError
from codeloop.sandbox.stateful.kernels import JupyterKernel, find_kernel

PYTHON = Path("/opt/python/bin/python3.11")


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder of guest packages in which pyzmq lies."""
    (tmp_path / "zmq").mkdir()
    return tmp_path


def install(packages: Path, name: str, text: str) -> None:
    folder = packages / "share/jupyter/kernels" / name
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(text, encoding="utf-8")


def test_python_is_the_one_that_guests_run_on(packages: Path) -> None:
    words = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    install(packages, "python3", json.dumps({"argv": words, "language": "python"}))
    found = find_kernel("python3", packages, PYTHON)
    assert found == JupyterKernel("python3", "python", (str(PYTHON), *words[1:]))
    assert found.start()["argv"] == [str(PYTHON), *words[1:]]


def test_another_kernel_is_found_with_its_tool_its_settings_and_its_folder(packages: Path) -> None:
    spec = {
        "argv": ["sh", "{resource_dir}/start.sh", "{connection_file}"],
        "language": "R",
        "env": {"LEVEL": 1},
        "interrupt_mode": "message",
    }
    install(packages, "ir", json.dumps(spec))
    found = find_kernel("ir", packages, PYTHON)
    assert found.language == "r"
    assert found.argv[0].endswith("/sh")
    assert found.argv[1] == "/opt/packages/share/jupyter/kernels/ir/start.sh"
    assert found.environment == (("LEVEL", "1"),)
    assert found.by_message


def test_a_kernel_that_is_not_there_is_refused_with_those_that_are(packages: Path) -> None:
    install(packages, "one", json.dumps({"argv": ["sh"]}))
    with pytest.raises(ConfigError, match=r"no Jupyter kernel two; there are: .*one"):
        find_kernel("two", packages, PYTHON)
    with pytest.raises(ConfigError, match=r"no Jupyter kernel \.\./one"):
        find_kernel("../one", packages, PYTHON)


def test_a_kernel_whose_tool_the_jail_has_not_is_refused(packages: Path) -> None:
    install(packages, "far", json.dumps({"argv": ["/home/someone/bin/kernel"]}))
    with pytest.raises(ConfigError, match="needs /home/someone/bin/kernel"):
        find_kernel("far", packages, PYTHON)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"argv": []}', '{"argv": "sh"}', "{"])
def test_a_description_that_is_none_is_refused(text: str, packages: Path) -> None:
    install(packages, "bad", text)
    with pytest.raises(ConfigError, match=r"bad/kernel\.json"):
        find_kernel("bad", packages, PYTHON)


def test_without_pyzmq_there_is_none(tmp_path: Path) -> None:
    for packages in (tmp_path, None):
        with pytest.raises(ConfigError, match="pyzmq"):
            find_kernel("python3", packages, PYTHON)
