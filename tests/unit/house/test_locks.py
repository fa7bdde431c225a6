"""The locks hold what pyproject.toml declares, with hashes, and name no host."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS = PROJECT["dependency-groups"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
CORE = [
    *PROJECT["project"]["dependencies"],
    *(each for name in EXTRAS if name not in {"train", "qlora"} for each in EXTRAS[name]),
]
TRAIN = [  # decision 10
    each
    for name in ("train", "qlora")
    for each in EXTRAS[name]
    if Requirement(each).name != "torch"
]
DEV = [each for name in ("test", "check", "docs", "build", "lock") for each in GROUPS[name]]
LOCKS = {"run": [*CORE, *GROUPS["build"]], "dev": [*CORE, *TRAIN, *DEV], "guest": GROUPS["guest"]}
LOCKS["peers"] = GROUPS["peers"]

ENTRY = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>\S+)(?P<rest>(?:.*\n(?:[ ].*\n)*))", re.MULTILINE
)


def entries(lock: str) -> list[re.Match[str]]:
    return list(ENTRY.finditer((ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")))


def names(requirements: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(each).name) for each in requirements}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_was_made_for_what_is_declared_now(lock: str) -> None:
    asked_for = {each["name"] for each in entries(lock) if "codeloop (pyproject.toml" in each[0]}
    assert asked_for == names(LOCKS[lock]), "run scripts/lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_locked_version_fits_what_is_declared(lock: str) -> None:
    versions: dict[str, set[str]] = {}
    for each in entries(lock):
        versions.setdefault(each["name"], set()).add(each["version"])
    for declared in map(Requirement, LOCKS[lock]):
        for version in versions[canonicalize_name(declared.name)]:
            assert declared.specifier.contains(version), f"{declared}: run scripts/lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_has_a_hash_and_no_line_names_a_host(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index-url" not in text
    assert not [each["name"] for each in entries(lock) if "--hash=sha256:" not in each["rest"]]


def test_the_product_runs_on_what_was_tested() -> None:
    tested = {(each["name"], each["version"]) for each in entries("dev")}
    assert {(each["name"], each["version"]) for each in entries("run")} <= tested


def test_torch_is_pinned_beside_the_locks_and_in_none() -> None:
    (pinned,) = (ROOT / "requirements" / "torch.txt").read_text(encoding="utf-8").split()
    declared = next(Requirement(each) for each in EXTRAS["train"] if each.startswith("torch"))
    (version,) = Requirement(pinned).specifier
    assert version.operator == "=="
    assert declared.specifier.contains(version.version)
    heavy = ("torch", "triton", "nvidia-", "cuda-")
    assert not [
        each["name"] for lock in LOCKS for each in entries(lock) if each["name"].startswith(heavy)
    ]


def test_every_group_is_in_a_lock() -> None:
    assert set(GROUPS) == {"test", "check", "docs", "build", "lock", "guest", "peers"}
