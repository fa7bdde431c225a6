"""Where control groups can be made, and what is written to them: files stand for a kernel's."""

import os
from pathlib import Path

import pytest

from codeloop.core.execution import MIB
from codeloop.sandbox.isolation import cgroups
from codeloop.sandbox.isolation.cgroups import Tier

GONE = 2**22 + 1  # no pid is that high


class Kernel:
    """A folder that stands for /proc/self, and one for each hierarchy."""

    def __init__(self, folder: Path) -> None:
        self.process = folder / "self"
        self.process.mkdir()
        self.root = folder / "cgroup"
        self._mounts: list[str] = []
        self._own: list[str] = []

    def mount(self, kind: str, name: str, options: str, own: str, *, shown: str = "/") -> Path:
        place = self.root / name
        base = place / own.removeprefix("" if shown == "/" else shown).lstrip("/")
        base.mkdir(parents=True)
        at = len(self._mounts)
        self._mounts.append(f"{30 + at} 25 0:{at} {shown} {place} rw,relatime - {kind} x {options}")
        self._own.append(f"{at}:{'' if kind == 'cgroup2' else name}:{own}")
        (self.process / "mountinfo").write_text("\n".join(self._mounts), encoding="utf-8")
        (self.process / "cgroup").write_text("\n".join(self._own), encoding="utf-8")
        return base

    def mount_v2(self, own: str, *, controllers: str, handed_down: str, pids: str = "") -> Path:
        base = self.mount("cgroup2", "unified", "rw", own)
        for name, text in (
            ("cgroup.controllers", controllers),
            ("cgroup.subtree_control", handed_down),
            ("cgroup.procs", pids),
        ):
            (base / name).write_text(text, encoding="ascii")
        return base


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


def test_version_2_is_first(kernel: Kernel) -> None:
    base = kernel.mount_v2("/a/b", controllers="cpu memory pids", handed_down="memory pids")
    kernel.mount("cgroup", "memory", "rw,memory", "/")
    kernel.mount("cgroup", "pids", "rw,pids", "/")
    groups = cgroups.find(kernel.process)
    assert (groups.tier, groups.memory, groups.pids) == (Tier.V2, base, base)


def test_version_1_is_next(kernel: Kernel) -> None:
    kernel.mount_v2("/", controllers="hugetlb", handed_down="")
    memory = kernel.mount("cgroup", "memory", "rw,memory", "/service/x")
    pids = kernel.mount("cgroup", "pids", "rw,pids", "/")
    groups = cgroups.find(kernel.process)
    assert (groups.tier, groups.memory, groups.pids) == (Tier.V1, memory, pids)
    assert "without memory and pids" in groups.why


def test_a_container_sees_a_part_of_the_hierarchy(kernel: Kernel) -> None:
    memory = kernel.mount("cgroup", "memory", "rw,memory", "/docker/1/own", shown="/docker/1")
    kernel.mount("cgroup", "pids", "rw,pids", "/docker/1", shown="/docker/1")
    assert cgroups.find(kernel.process).memory == memory == kernel.root / "memory" / "own"


def test_sampling_is_last_and_says_why(kernel: Kernel, tmp_path: Path) -> None:
    kernel.mount("cgroup", "memory", "rw,memory", "/")
    groups = cgroups.find(kernel.process)
    assert groups.tier is Tier.SAMPLING
    assert groups.make() is None
    assert "no pids hierarchy" in groups.why
    assert cgroups.find(tmp_path / "absent").tier is Tier.SAMPLING


def test_room_is_made_in_a_delegated_group(kernel: Kernel) -> None:
    base = kernel.mount_v2("/s", controllers="memory pids", handed_down="", pids=f"{os.getpid()}\n")
    groups = cgroups.find(kernel.process)
    room = base / f"codeloop-host-{os.getpid()}"
    assert (groups.tier, groups.memory) == (Tier.V2, base)
    assert (room / "cgroup.procs").read_text(encoding="ascii") == str(os.getpid())
    assert (base / "cgroup.subtree_control").read_text(encoding="ascii") == "+memory +pids"


def test_no_room_is_made_among_others(kernel: Kernel) -> None:
    pids = f"{os.getpid()}\n{os.getppid()}\n"
    base = kernel.mount_v2("/s", controllers="memory pids", handed_down="", pids=pids)
    groups = cgroups.find(kernel.process)
    assert groups.tier is Tier.SAMPLING
    assert "processes of others" in groups.why
    assert not [*base.glob("codeloop-*")]


def test_who_has_made_room_finds_it(kernel: Kernel) -> None:
    own = "/s/codeloop-host-7"
    kernel.mount("cgroup2", "unified", "rw", own)
    base = kernel.root / "unified" / "s"
    for name in ("cgroup.controllers", "cgroup.subtree_control"):
        (base / name).write_text("memory pids", encoding="ascii")
    assert cgroups.find(kernel.process).memory == base


def test_limits_are_written_once(kernel: Kernel) -> None:
    base = kernel.mount_v2("/", controllers="memory pids", handed_down="memory pids")
    group = cgroups.find(kernel.process).make()
    assert group is not None
    assert group.memory.parent == base
    group.limit(100 * MIB, 16 * MIB, 8)
    assert (group.memory / "memory.max").read_text(encoding="ascii") == str(148 * MIB)
    assert (group.pids / "pids.max").read_text(encoding="ascii") == "9"
    (group.pids / "pids.max").unlink()
    group.limit(100 * MIB, 16 * MIB, 8)
    assert not (group.pids / "pids.max").exists()
    group.limit(100 * MIB, 16 * MIB, 9)
    assert (group.pids / "pids.max").read_text(encoding="ascii") == "10"


def test_version_1_has_other_files(kernel: Kernel) -> None:
    kernel.mount("cgroup", "memory", "rw,memory", "/")
    kernel.mount("cgroup", "pids", "rw,pids", "/")
    group = cgroups.find(kernel.process).make()
    assert group is not None
    group.limit(100 * MIB, 0, 8)
    assert (group.memory / "memory.limit_in_bytes").read_text(encoding="ascii") == str(132 * MIB)
    assert group.memory != group.pids


def test_what_is_left_in_a_group_is_killed_before_it_is_removed(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "_REMOVE_S", 0.05)
    kernel.mount_v2("/", controllers="memory pids", handed_down="memory pids")
    group = cgroups.find(kernel.process).make()
    assert group is not None
    (group.memory / "cgroup.kill").touch()
    group.remove()  # a folder with files in it cannot be removed: here only
    assert (group.memory / "cgroup.kill").read_text(encoding="ascii") == "1"
    (group.memory / "cgroup.kill").unlink()
    group.remove()
    assert not group.memory.exists()
    group.remove()  # once more does nothing


def test_groups_of_the_dead_are_removed(kernel: Kernel) -> None:
    base = kernel.mount_v2("/", controllers="memory pids", handed_down="memory pids")
    (base / f"codeloop-{GONE}-abcd").mkdir()
    (base / f"codeloop-{os.getpid()}-abcd").mkdir()
    (base / "codeloop-of-somebody").mkdir()
    cgroups.find(kernel.process)
    left = {path.name for path in base.glob("codeloop-*")}
    assert left == {f"codeloop-{os.getpid()}-abcd", "codeloop-of-somebody"}
