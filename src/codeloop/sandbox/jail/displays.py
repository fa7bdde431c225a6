"""What a cell shows beside its text: the value of its last expression, and its open figures."""

import contextlib
import sys
from base64 import b64encode
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from codeloop.sandbox.jail import tables, wire

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
        _add(parts, tables.MIME, tables.of_value(value))
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
    for parts in shown:
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


def _shortened(text: str) -> str:
    if len(text) <= _TEXT_CHARS:
        return text
    half = _TEXT_CHARS // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n... {left_out} characters left out ...\n{text[-half:]}"
