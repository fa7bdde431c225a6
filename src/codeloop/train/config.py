"""The file that says how a model is trained: YAML, read into records; a mistake has its place."""

import dataclasses
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from codeloop.core.errors import ConfigError, MissingExtraError
from codeloop.core.files import whole_file
from codeloop.core.records import from_json, to_json
from codeloop.train.presets import Preset, peft_defaults, trl_defaults

RESOLVED = "config.yaml"  # in the folder of a run
PACKAGES = ("codeloop", "torch", "transformers", "trl", "peft", "accelerate", "tokenizers")

_T = TypeVar("_T")


class Mask(StrEnum):
    """Which replies of a dialogue a model is to learn."""

    ALL = "all"  # each, as in the paper
    MASK_FAILED = "mask_failed"  # but those whose code failed
    LAST = "last"  # the last alone


class Split(StrEnum):
    """What the rows of a file are for."""

    TRAIN = "train"
    EVAL = "eval"  # the loss on them is told while training


@dataclass(frozen=True, slots=True)
class DataSettings:
    """A file of rows to train on.

    `weight` is how often an epoch takes each row, 0.5 being every other one. `parts` is the file's
    part in the mix, by rows: with 2 and 1, one file gives two rows for each of the other's, none is
    left out, and the scarcer repeats some.
    """

    path: str
    split: Split = Split.TRAIN
    weight: float = 1.0
    parts: float | None = None


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """The whole file, with what the preset adds; `trl` and `peft` are those libraries' own keys."""

    model: str
    data: tuple[DataSettings, ...]
    preset: Preset = Preset.TINY
    mask: Mask = Mask.ALL
    template: str = ""  # a file with the chat template; "": the model's own
    output: str = "run"  # the folder of the run
    seed: int = 0
    cache: str = ""  # a folder for tokenised rows; "": ~/.cache/codeloop/rows
    trl: Mapping[str, Any] = field(default_factory=dict)
    peft: Mapping[str, Any] | None = None
    evaluate: Mapping[str, Any] = field(default_factory=dict)
    path: Path = Path()  # where the file lies

    def file(self, name: str) -> Path:
        """Return a path of the config; one that is relative starts where the config lies."""
        return self.path.parent / Path(name).expanduser()

    @property
    def max_length(self) -> int:
        """The tokens that a row may have; what is longer is cut."""
        return int(self.trl.get("max_length") or 1 << 30)

    def of(self, split: Split) -> tuple[DataSettings, ...]:
        return tuple(each for each in self.data if each.split is split)


_KEYS = (*(name for name in get_type_hints(TrainConfig) if name != "path"), "resolved")
_POWER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")
_PASSED = ("trl", "peft", "evaluate")


def read_config(path: Path) -> TrainConfig:
    """Return what a file says, with the defaults of its preset.

    Raises:
        ConfigError: it cannot be read, or says what is not known; names the key and the nearest.
    """
    data = read_yaml(path)
    known_keys(data, _KEYS, str(path))
    for key in ("model", "data"):
        if not data.get(key):
            msg = f"{path}: {key!r} is missing"
            raise ConfigError(msg)
    preset = _record(_PresetOnly, {"preset": data.get("preset", Preset.TINY.value)}, path).preset
    passed = {key: _section(data, key, path) for key in _PASSED}
    plain = {key: value for key, value in data.items() if key in get_type_hints(_Plain)}
    adapter = peft_defaults(preset)
    if passed["peft"] is not None:
        adapter = {**(adapter or {}), **passed["peft"]}
    config = _record(_Plain, plain, path)
    return TrainConfig(
        config.model,
        _data(data["data"], path),
        preset,
        config.mask,
        config.template,
        config.output,
        config.seed,
        config.cache,
        trl_defaults(preset) | (passed["trl"] or {}),
        adapter,
        passed["evaluate"] or {},
        path,
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that a YAML file holds.

    Raises:
        ConfigError: it cannot be read, or holds no mapping.
        MissingExtraError: the extra is not installed.
    """
    try:
        import yaml  # noqa: PLC0415  of the extra
    except ImportError as error:
        msg = "training needs `pip install 'codeloop[train]'`"
        raise MissingExtraError(msg) from error
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise ConfigError(msg) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        msg = f"{where}: not YAML: {getattr(error, 'problem', None) or error}"
        raise ConfigError(msg) from error
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        msg = f"{path}: should be a mapping of names"
        raise ConfigError(msg)
    return data


def known_keys(section: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    """See that a section has no key but the names.

    Raises:
        ConfigError: it has another; names the nearest.
    """
    every = list(names)
    for key in section:
        if key not in every:
            near = difflib.get_close_matches(key, every, n=1, cutoff=0.0)
            nearest = f"; nearest is {near[0]!r}" if near else ""
            msg = f"{where} has no key {key!r}{nearest}"
            raise ConfigError(msg)


def passed_on(section: Mapping[str, Any], kind: type[Any], where: str) -> dict[str, Any]:
    """Return a section that is handed to a library's config, whose fields its keys have to be.

    YAML reads `2e-5` as a text: what the library wants as a number becomes one.

    Raises:
        ConfigError: a key is none of its fields; names the nearest.
    """
    fields = {each.name: each for each in dataclasses.fields(kind) if each.init}
    known_keys(section, fields, where)
    return {key: _number(value) for key, value in section.items()}


def save_resolved(config: TrainConfig, folder: Path, *, data_hash: str) -> Path:
    """Write what was resolved into the folder of a run: all keys, versions, the data's hash.

    Raises:
        DataError: it cannot be written.
    """
    import yaml  # noqa: PLC0415  of the extra

    facts = to_json(config)
    del facts["path"]
    for key in _PASSED:
        value = getattr(config, key)
        facts[key] = None if value is None else {name: _number(value[name]) for name in value}
    for entry in facts["data"]:
        entry["path"] = str(config.file(entry["path"]).resolve())
    facts["resolved"] = {"data_hash": data_hash, "versions": versions()}
    path = folder / RESOLVED
    with whole_file(path) as file:
        file.write(yaml.safe_dump(facts, sort_keys=False, allow_unicode=True).encode())
    return path


def versions() -> dict[str, str]:
    """Return the versions of what a run depends on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


@dataclass(frozen=True, slots=True)
class _PresetOnly:
    preset: Preset


@dataclass(frozen=True, slots=True)
class _Plain:
    """The keys that are one value each."""

    model: str
    preset: Preset = Preset.TINY
    mask: Mask = Mask.ALL
    template: str = ""
    output: str = "run"
    seed: int = 0
    cache: str = ""


def _data(entries: Any, path: Path) -> tuple[DataSettings, ...]:
    if not isinstance(entries, list):
        msg = f"{path}: data: should be a list of files"
        raise ConfigError(msg)
    found = []
    for at, entry in enumerate(entries):
        where = f"{path}: data[{at}]"
        named = {"path": entry} if isinstance(entry, str) else entry
        if not isinstance(named, dict):
            msg = f"{where} should be a path, or a mapping"
            raise ConfigError(msg)
        known_keys(named, get_type_hints(DataSettings), where)
        found.append(_record(DataSettings, named, where))
    return _weighed(tuple(found), path)


def _weighed(data: tuple[DataSettings, ...], path: Path) -> tuple[DataSettings, ...]:
    training = [each for each in data if each.split is Split.TRAIN]
    if not training:
        msg = f"{path}: data: no file is for training (split: train)"
        raise ConfigError(msg)
    if len({each.parts is None for each in training}) > 1:
        msg = f"{path}: data: give parts to every file for training, or to none"
        raise ConfigError(msg)
    for each in data:
        if each.weight <= 0 or (each.parts is not None and each.parts <= 0):
            msg = f"{path}: data: {each.path}: weight and parts should be more than 0"
            raise ConfigError(msg)
    return data


def _section(data: Mapping[str, Any], key: str, path: Path) -> dict[str, Any] | None:
    section = data.get(key)
    if section is not None and not isinstance(section, dict):
        msg = f"{path}: {key}: should be a mapping"
        raise ConfigError(msg)
    return section


def _record(kind: type[_T], values: Mapping[str, Any], where: object) -> _T:
    try:
        return from_json(kind, values)
    except ValueError as error:
        msg = f"{where}: {error}"
        raise ConfigError(msg) from error


def _number(value: Any) -> Any:
    """Return a text such as `2e-5`, which YAML 1.1 takes for one, as the number that it is."""
    return float(value) if isinstance(value, str) and _POWER.fullmatch(value) else value
