"""A viewer of examples that needs no server: one page, and its rows in files beside it."""

import json
from collections.abc import Iterable
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from codeloop.dataset.records import Example
from codeloop.publishing.folder import write_text
from codeloop.publishing.forms import as_messages

PAGE_ROWS = 50


def write_viewer(folder: Path, title: str, examples: Iterable[Example]) -> int:
    """Write `index.html` and `page-N.js` into a folder; return how many examples there are.

    The rows are scripts, since a page that is opened from a disk may not read other files.

    Raises:
        DataError: a file cannot be written.
    """
    page: list[dict[str, Any]] = []
    ways: set[str] = set()
    total = pages = 0
    for example in examples:
        page.append(as_messages(example))
        ways.add(example.way.value)
        total += 1
        if len(page) == PAGE_ROWS:
            _write_page(folder, pages, page)
            pages, page = pages + 1, []
    if page or not pages:
        _write_page(folder, pages, page)
        pages += 1
    template = files("codeloop.publishing").joinpath("viewer.html").read_text(encoding="utf-8")
    whole = Template(template).substitute(
        title=escape(title),
        pages=pages,
        total=total,
        size=PAGE_ROWS,
        ways=_script(sorted(ways)),
    )
    write_text(folder / "index.html", whole)
    return total


def _write_page(folder: Path, number: int, rows: list[dict[str, Any]]) -> None:
    write_text(folder / f"page-{number}.js", f"codeloopPage({number}, {_script(rows)});\n")


def _script(value: object) -> str:
    """Return a value as JavaScript that may stand in a page: no tag can end it."""
    return json.dumps(value).replace("<", "\\u003c").replace("\u2028", "\\u2028")
