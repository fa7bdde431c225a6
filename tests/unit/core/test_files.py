import gzip
from pathlib import Path

import pytest

from codeloop.core.errors import DataError
from codeloop.core.files import open_packed, whole_file


def test_a_file_is_there_once_it_is_whole_and_its_folder_with_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows"
    with whole_file(path) as file:
        file.write(b"one\n")
        assert not path.exists()
    assert path.read_bytes() == b"one\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_block_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b"old\n")

    def fail() -> None:
        with whole_file(path) as file:
            file.write(b"new\n")
            file.writelines([1])  # type: ignore[list-item]

    with pytest.raises(TypeError):
        fail()
    assert path.read_bytes() == b"old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")
    with (
        pytest.raises(DataError, match="taken/rows: cannot be written"),
        whole_file(tmp_path / "taken" / "rows"),
    ):
        pass


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_is_read_the_same_packed_or_not(pack: type[bytes], tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(pack(b"one\ntwo\n"))
    with open_packed(path) as file:
        assert file.readlines() == [b"one\n", b"two\n"]
