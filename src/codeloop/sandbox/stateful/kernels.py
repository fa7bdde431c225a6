"""Jupyter kernels that the jail can see, by the names under which they are installed."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeloop.core.codeblocks import normalise_language
from codeloop.core.errors import ConfigError
from codeloop.sandbox.jail import root, wire
from codeloop.sandbox.languages import find_tool

THREADS = 48  # that a kernel, and what speaks to it, start for themselves
_FOLDER = "share/jupyter/kernels"
_SYSTEM = ("/usr/local", "/usr")


@dataclass(frozen=True, slots=True)
class JupyterKernel:
    """An installed kernel: how it is started, and the language of its cells."""

    name: str
    language: str
    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    by_message: bool = False  # how it is interrupted; else by a signal

    def start(self) -> wire.Message:
        """Return what a slot has to know to start it."""
        return {
            "mode": "jupyter",
            "argv": list(self.argv),
            "environment": dict(self.environment),
            "by_message": self.by_message,
            "address_space": False,
        }


def find_kernel(name: str, packages: Path | None, python: Path) -> JupyterKernel:
    """Return the kernel of that name, of the guest's packages or the system's own.

    `python` is the interpreter that guests run on.

    Raises:
        ConfigError: there is none, or it cannot be run here.
    """
    if packages is None or not (packages / "zmq").is_dir():
        msg = "a Jupyter kernel needs pyzmq among the packages that guests may import"
        raise ConfigError(msg)
    places = [(packages / _FOLDER, f"{root.PACKAGES}/{_FOLDER}")]
    places += [(Path(prefix) / _FOLDER, f"{prefix}/{_FOLDER}") for prefix in _SYSTEM]
    found: set[str] = set()
    for place, seen_as in places:
        names = {path.parent.name for path in place.glob("*/kernel.json")}
        if name in names:
            spec = _read(place / name / "kernel.json")
            return _kernel(name, spec, f"{seen_as}/{name}", python)
        found |= names
    msg = f"no Jupyter kernel {name}; there are: {', '.join(sorted(found)) or 'none'}"
    raise ConfigError(msg)


def _read(path: Path) -> dict[str, Any]:
    try:
        spec = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path}: {error}"
        raise ConfigError(msg) from error
    if not isinstance(spec, dict) or not isinstance(spec.get("argv"), list) or not spec["argv"]:
        msg = f"{path}: not the description of a Jupyter kernel"
        raise ConfigError(msg)
    return spec


def _kernel(name: str, spec: dict[str, Any], folder: str, python: Path) -> JupyterKernel:
    tool, *rest = (str(word).replace("{resource_dir}", folder) for word in spec["argv"])
    own = tool in {"python", "python3"}
    path = str(python) if own else find_tool(tool)
    if path is None:
        msg = f"the Jupyter kernel {name} needs {tool}, which the jail does not find"
        raise ConfigError(msg)
    language = str(spec.get("language", ""))
    return JupyterKernel(
        name,
        normalise_language(language) or language.lower(),
        (path, *rest),
        tuple((str(key), str(value)) for key, value in (spec.get("env") or {}).items()),
        by_message=spec.get("interrupt_mode") == "message",
    )
