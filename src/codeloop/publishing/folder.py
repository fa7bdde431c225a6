"""Files of a published dataset: JSON Lines, Parquet, texts; each there whole or not at all."""

import json
from collections.abc import Iterable
from pathlib import Path

from codeloop.core.errors import DataError, MissingExtraError
from codeloop.core.files import whole_file
from codeloop.publishing.forms import Row

_GROUP_ROWS = 1000


def write_lines(path: Path, rows: Iterable[Row]) -> int:
    """Write rows as JSON Lines, whole or not at all; return how many.

    Raises:
        DataError: the file cannot be written.
    """
    count = 0
    with whole_file(path) as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=True).encode() + b"\n")
            count += 1
    return count


def write_parquet(path: Path, rows: Iterable[Row]) -> int:
    """Write rows as Parquet, whole or not at all; return how many. Columns are those of the first.

    Raises:
        DataError: the file cannot be written, or a row does not fit the first.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415  an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        msg = "Parquet needs the extra `dataset`: pip install 'codeloop[dataset]'"
        raise MissingExtraError(msg) from error
    listed = list(rows)
    try:
        table = pa.Table.from_pylist(listed)
        with whole_file(path) as file:
            parquet.write_table(table, file, compression="zstd", row_group_size=_GROUP_ROWS)
    except pa.ArrowException as error:
        msg = f"{path}: rows do not fit into one table ({error})"
        raise DataError(msg) from error
    return len(listed)


def write_text(path: Path, text: str) -> None:
    """Write a text file, its folder too.

    Raises:
        DataError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror})"
        raise DataError(msg) from error
