"""What a cell shows beside its text: the value of its last expression, and its open figures."""

import contextlib
import re
import sys
from base64 import b64encode
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

from codeloop.sandbox.jail import wire

Parts = dict[str, str]  # MIME type -> text as it is, binary in base64

_PLAIN = "text/plain"
_TEXT_CHARS = 64 * 1024
_PART_CHARS = 2 * 1024 * 1024  # a part that is longer is left out
_METHODS = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "text/latex": "_repr_latex_",
    "image/svg+xml": "_repr_svg_",
    "image/png": "_repr_png_",
    "image/jpeg": "_repr_jpeg_",
}
_FIGURES = 8  # of one cell
_DRAWN_POINTS = 5000  # a figure of more is not drawn as SVG too
_SVG_CHARS = 512 * 1024
_RICH_BYTES = 4 * 1024 * 1024  # of all that a cell shows beside plain text, as it is sent
_MOST = 64  # displays of one cell
_MIME = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_TABLE = "application/vnd.dataresource+json"  # Frictionless Data's tabular resource, inline
_CHART = "application/vnd.codeloop.chart+json"
_SERIES = 50  # of one chart
_Series = dict[str, object]
_ROWS = 100
_COLUMNS = 50
_CELL_CHARS = 200
_INFINITIES = {float("inf"): "INF", float("-inf"): "-INF"}  # as Table Schema writes them
_TYPES = {"i": "integer", "u": "integer", "f": "number", "b": "boolean", "M": "datetime"}


def of_value(value: object) -> Parts:
    """Return the forms that a value has of itself; its `repr` is always one of them."""
    parts = {_PLAIN: _shortened(repr(value))}
    if isinstance(value, type):
        return parts
    for mime, name in _METHODS.items():
        method = getattr(type(value), name, None)
        if method is not None:
            with contextlib.suppress(Exception):  # a form that fails is a form it has not
                _add(parts, mime, method(value))
    with contextlib.suppress(Exception):
        _add(parts, _TABLE, _of_table(value))
    return parts


def of_bundle(bundle: object) -> Parts:
    """Return the forms in a message of a Jupyter kernel; those that are no text, as JSON."""
    forms = bundle if isinstance(bundle, dict) else {}
    parts = {_PLAIN: _shortened(str(forms.get(_PLAIN, "")))}
    for mime, form in forms.items():
        if mime != _PLAIN and _MIME.fullmatch(mime):
            text = form if isinstance(form, str) else wire.encode({"": form}).decode()[4:-1]
            _add(parts, mime, text)
    return parts


def of_figures() -> Iterator[Parts]:
    """Return the open figures of Matplotlib, if the code has used it, and close them."""
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    with contextlib.suppress(Exception):  # the code may have taken Matplotlib apart
        for number in pyplot.get_fignums()[:_FIGURES]:
            yield _of_figure(pyplot.figure(number))
        pyplot.close("all")


def fitting(shown: list[Parts]) -> list[Parts]:
    """Return what is shown without the forms for which an answer to the host has no room."""
    room = _RICH_BYTES
    kept: list[Parts] = []
    for parts in shown[:_MOST]:
        kept.append({})
        for mime, form in parts.items():
            size = wire.encoded_size(form)
            if mime != _PLAIN and size > room:
                continue
            kept[-1][mime] = form
            room -= 0 if mime == _PLAIN else size
    return kept


def _of_figure(figure: Any) -> Parts:
    width, height = figure.get_size_inches() * figure.dpi
    parts = {_PLAIN: f"<Figure of {width:.0f}x{height:.0f} pixels>"}
    image = BytesIO()
    figure.savefig(image, format="png", bbox_inches="tight")
    _add(parts, "image/png", image.getvalue())
    if sum(map(_points, figure.findobj())) <= _DRAWN_POINTS:
        with contextlib.suppress(Exception):  # a chart of a kind that is not understood
            _add(parts, _CHART, _of_charts(figure))
        drawing = BytesIO()
        figure.savefig(drawing, format="svg", bbox_inches="tight", metadata={"Date": None})
        text = drawing.getvalue().decode()
        if len(text) <= _SVG_CHARS:
            _add(parts, "image/svg+xml", text)
    return parts


def _points(artist: Any) -> int:
    """Return about how many points a part of a figure draws."""
    if hasattr(artist, "get_offsets"):
        return len(artist.get_offsets()) + sum(len(path) for path in artist.get_paths())
    return len(artist.get_xdata()) if hasattr(artist, "get_xdata") else 1


def _add(parts: Parts, mime: str, form: object) -> None:
    if isinstance(form, tuple):  # with metadata, as IPython allows
        form = form[0]
    if isinstance(form, bytes):
        form = b64encode(form).decode()
    if isinstance(form, str) and len(form) <= _PART_CHARS:
        parts[mime] = form


def _of_table(value: object) -> str | None:
    """Return a pandas table or series as JSON text: plain values, types, shape; else None.

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


def _shortened(text: str) -> str:
    if len(text) <= _TEXT_CHARS:
        return text
    half = _TEXT_CHARS // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n... {left_out} characters left out ...\n{text[-half:]}"


def _of_charts(figure: Any) -> str | None:
    """Return the charts of a figure as JSON text; None if it has none that are understood.

    Each has a `title`, the labels `x` and `y`, and `series` of a `kind` (line, bar or scatter), a
    `label` and `points`, which are pairs.
    """
    charts = []
    for axes in figure.get_axes():
        series = [
            each for each in (*_lines(axes), *_bars(axes), *_scatters(axes)) if each["points"]
        ]
        if series:
            charts.append(
                {
                    "title": axes.get_title()[:_CELL_CHARS],
                    "x": axes.get_xlabel()[:_CELL_CHARS],
                    "y": axes.get_ylabel()[:_CELL_CHARS],
                    "series": series[:_SERIES],
                }
            )
    return wire.encode({"charts": charts}).decode() if charts else None


def _lines(axes: Any) -> Iterator[_Series]:
    for line in axes.get_lines():
        yield _series("line", line.get_label(), line.get_xdata(), line.get_ydata())


def _bars(axes: Any) -> Iterator[_Series]:
    for bars in axes.containers:
        if not hasattr(bars, "patches"):  # error bars, stems
            continue
        lies = getattr(bars, "orientation", "vertical") == "horizontal"
        names = _ticks(axes.yaxis if lies else axes.xaxis)
        places, sizes = [], []
        for bar in bars.patches:
            start, length = (
                (bar.get_y(), bar.get_height()) if lies else (bar.get_x(), bar.get_width())
            )
            middle = float(start + length / 2)
            places.append(names.get(round(middle, 6), middle))
            sizes.append(bar.get_width() if lies else bar.get_height())
        yield _series("bar", bars.get_label(), places, sizes)


def _scatters(axes: Any) -> Iterator[_Series]:
    for points in axes.collections:
        if type(points).__name__ == "PathCollection":
            pairs = list(points.get_offsets())
            yield _series(
                "scatter", points.get_label(), *([pair[at] for pair in pairs] for at in (0, 1))
            )


def _ticks(axis: Any) -> dict[float, str]:
    """Return the names that stand at places of an axis of categories."""
    units = getattr(axis, "units", None)
    known = getattr(units, "_mapping", None)
    if known:
        return {float(place): str(name)[:_CELL_CHARS] for name, place in known.items()}
    if type(axis.get_major_formatter()).__name__ != "FixedFormatter":
        return {}
    labels = [label.get_text()[:_CELL_CHARS] for label in axis.get_ticklabels()]
    named = zip(axis.get_ticklocs(), labels, strict=False)
    return {round(float(place), 6): text for place, text in named if text}


def _series(kind: str, label: object, xs: Iterable[Any], ys: Iterable[Any]) -> _Series:
    text = str(label)[:_CELL_CHARS]
    points = [[_coordinate(x), _coordinate(y)] for x, y in zip(xs, ys, strict=False)]
    return {"kind": kind, "label": "" if text.startswith("_") else text, "points": points}


def _coordinate(value: Any) -> object:
    """Return a value as JSON has it; None for what is no number, as in a gap of a line."""
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if type(value).__module__ == "numpy" and type(value).__name__ == "datetime64":
        return str(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)[:_CELL_CHARS]
    if number != number or number in {float("inf"), float("-inf")}:  # noqa: PLR0124  not a number
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
