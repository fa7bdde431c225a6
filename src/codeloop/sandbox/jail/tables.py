"""A pandas table as data: its head in rows of plain values, its columns' types, its whole shape."""

import sys
from collections.abc import Iterator
from typing import Any

from codeloop.sandbox.jail import wire

MIME = "application/vnd.dataresource+json"  # Frictionless Data's tabular resource, inline

_ROWS = 100
_COLUMNS = 50
_CELL_CHARS = 200
_INFINITIES = {float("inf"): "INF", float("-inf"): "-INF"}  # as Table Schema writes them
_TYPES = {"i": "integer", "u": "integer", "f": "number", "b": "boolean", "M": "datetime"}


def of_value(value: object) -> str | None:
    """Return a `DataFrame` or a `Series` as JSON text, or None if it is neither.

    The first 100 rows and 50 columns are in `data`, after those of the index. `shape` is that of
    the whole, without the index.
    """
    pandas: Any = sys.modules.get("pandas")
    if pandas is None or not isinstance(value, (pandas.DataFrame, pandas.Series)):
        return None
    table: Any = value.to_frame() if isinstance(value, pandas.Series) else value
    head = table.iloc[:_ROWS, :_COLUMNS]
    index = head.index.to_frame(index=False)
    names = list(_unique([*(name or "index" for name in head.index.names), *head.columns]))
    types = [_type(kind) for kind in (*index.dtypes, *head.dtypes)]
    columns = [frame.iloc[:, at] for frame in (index, head) for at in range(frame.shape[1])]
    values = [[_plain(each, pandas) for each in column] for column in columns]
    message = {
        "schema": {
            "fields": [
                {"name": name, "type": type_} for name, type_ in zip(names, types, strict=True)
            ]
        },
        "data": [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)],
        "shape": list(table.shape),
    }
    return wire.encode(message).decode()


def _type(kind: Any) -> str:
    return "string" if kind.name.startswith("str") else _TYPES.get(kind.kind, "any")


def _unique(names: list[object]) -> Iterator[str]:
    """Yield the names, of which each that was there before gets a number."""
    seen: set[str] = set()
    for name in names:
        plain = text = str(name)[:_CELL_CHARS]
        count = 0
        while text in seen:
            count += 1
            text = f"{plain}.{count}"
        seen.add(text)
        yield text


def _plain(value: Any, pandas: Any) -> object:
    """Return a value as JSON has it; None if it is missing."""
    if pandas.api.types.is_scalar(value):
        if pandas.isna(value):
            return None
        if pandas.api.types.is_bool(value):
            return bool(value)
        if pandas.api.types.is_integer(value):
            return int(value)
        if pandas.api.types.is_float(value):
            return _INFINITIES.get(float(value), float(value))
        if hasattr(value, "isoformat"):
            return str(value.isoformat())
    return str(value)[:_CELL_CHARS]
