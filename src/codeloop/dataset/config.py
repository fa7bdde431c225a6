"""The file that says how a dataset is made: TOML, read into records; a mistake has its place."""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from codeloop.core.errors import ConfigError
from codeloop.core.execution import MIB, ExecutionLimits
from codeloop.core.records import from_json
from codeloop.dataset.budget import Price
from codeloop.dataset.stages import Selection, StageKind

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How much is done at once, and what becomes of the store."""

    in_flight: int = 64  # rows that are worked on at once
    durable: bool = False  # the store outlives a power cut whole


@dataclass(frozen=True, slots=True)
class InputSettings:
    """A file of records; `kind` is `query`, `example` or `exercise`."""

    file: str
    kind: str = "query"


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """A model in a role: where it is, how it writes, what it takes and costs.

    Prices are of a million tokens. `requests_per_minute` and `tokens_per_minute` are what is
    known of the endpoint; what is not said is found out.
    """

    name: str
    base_url: str | None = None
    context_tokens: int | None = None
    temperature: float | None = 0.0
    top_p: float | None = None
    max_tokens: int | None = 1024
    seed: int | None = None
    timeout_s: float = 600.0  # of each try of a call
    in_flight: int | None = None  # 64 at an endpoint, 1 in this process
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    streamed: bool = True  # whole replies cost less, but proxies cut long silences
    price_prompt: float = 0.0
    price_completion: float = 0.0

    @property
    def price(self) -> Price:
        return Price(self.price_prompt, self.price_completion)


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """Where code runs: the limits of one run, how many sessions live and run at once."""

    wall_s: float = 10.0
    cpu_s: float = 10.0
    memory_mb: int = 512
    sessions: int = 64
    running: int = 2

    @property
    def limits(self) -> ExecutionLimits:
        """The limits of one run."""
        memory = self.memory_mb * MIB
        return ExecutionLimits(cpu_s=self.cpu_s, wall_s=self.wall_s, memory_bytes=memory)


@dataclass(frozen=True, slots=True)
class SelectionSettings:
    """Which rows a stage takes: a share of them, and those of some languages alone."""

    share: float = 1.0
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StageSettings:
    """A stage by name, its own settings, and the rows that it takes (none named: all)."""

    kind: StageKind
    settings: Any
    selection: Selection | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file."""

    path: Path
    run: RunSettings
    inputs: tuple[InputSettings, ...]
    models: Mapping[str, ModelSettings]
    sandbox: SandboxSettings | None
    stages: tuple[StageSettings, ...]

    def file(self, name: str) -> Path:
        """Return a path of the config; one that is relative starts where the config lies."""
        return self.path.parent / Path(name).expanduser()


def read_config(path: Path, kinds: Sequence[StageKind]) -> Config:
    """Return what a file says.

    Raises:
        ConfigError: it cannot be read, or says what is not known; names the table and the key.
    """
    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise ConfigError(msg) from error
    except ValueError as error:
        msg = f"{path}: not TOML: {error}"
        raise ConfigError(msg) from error
    _known(data, ["run", "input", "models", "sandbox", "stage"], str(path))
    inputs = [_record(InputSettings, each, f"{path}: [[input]]") for each in _list(data, "input")]
    models = data.get("models", {})
    stages = [_stage(each, kinds, path) for each in _list(data, "stage")]
    if not stages:
        msg = f"{path}: there is no [[stage]]"
        raise ConfigError(msg)
    sandbox = data.get("sandbox")
    return Config(
        path,
        _record(RunSettings, data.get("run", {}), f"{path}: [run]"),
        tuple(inputs),
        {
            role: _record(ModelSettings, table, f"{path}: [models.{role}]")
            for role, table in models.items()
        },
        None if sandbox is None else _record(SandboxSettings, sandbox, f"{path}: [sandbox]"),
        tuple(stages),
    )


def _stage(table: Any, kinds: Sequence[StageKind], path: Path) -> StageSettings:
    name = table.get("name") if isinstance(table, dict) else None
    known = {kind.name: kind for kind in kinds}
    if name not in known:
        msg = f"{path}: [[stage]] has no stage {name!r}; {_nearest(str(name), list(known))}"
        raise ConfigError(msg)
    kind, where = known[name], f"{path}: [[stage]] {name}"
    chosen = get_type_hints(SelectionSettings)
    selected = {key: table[key] for key in chosen if key in table}
    selection = _record(SelectionSettings, selected, where)
    if not 0 < selection.share <= 1:
        msg = f"{where}: share should be more than 0 and at most 1, not {selection.share:g}"
        raise ConfigError(msg)
    own = {key: value for key, value in table.items() if key != "name" and key not in chosen}
    return StageSettings(
        kind,
        _record(kind.settings, own, where),
        Selection(kind.takes, selection.share, selection.languages),
    )


def _record(kind: type[_T], table: Any, where: str) -> _T:
    if not isinstance(table, dict):
        msg = f"{where} should be a table"
        raise ConfigError(msg)
    _known(table, list(get_type_hints(kind)), where)
    try:
        return from_json(kind, table)
    except ValueError as error:
        msg = f"{where}: {error}"
        raise ConfigError(msg) from error


def _known(table: Mapping[str, Any], names: Sequence[str], where: str) -> None:
    for key in table:
        if key not in names:
            msg = f"{where} has no key {key!r}; {_nearest(key, names)}"
            raise ConfigError(msg)


def _list(data: Mapping[str, Any], name: str) -> list[Any]:
    value = data.get(name, [])
    return value if isinstance(value, list) else [value]


def _nearest(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
    return f"nearest is {near[0]!r}" if near else "there are none"
