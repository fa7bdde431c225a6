"""Reads sources one row at a time: queries, examples, exercises, and what is malformed."""

import itertools
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from codeloop.core.errors import ConfigError
from codeloop.dataset.records import Example, Exercise, Malformed, Query
from codeloop.dataset.sources.exercises import as_query, read_exercise
from codeloop.dataset.sources.fields import UnfitError
from codeloop.dataset.sources.files import Placed, Row, read_rows
from codeloop.dataset.sources.forms import EXERCISES, Form, Origin, form_of, read_row

_LOOKED_AT = 8  # rows by which a form is told


@dataclass(frozen=True, slots=True)
class Numbers:
    """Rows of a file that alone are meant: those whose field is a number from `first` to `last`."""

    field: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Source:
    """A file or a folder of rows, and what is known of it; without a form its rows tell it."""

    path: Path
    origin: Origin
    form: Form | None = None
    only: Numbers | None = None


Record = Query | Example | Exercise


def read_source(source: Source) -> Iterator[Record | Malformed]:
    """Yield what each row holds, and what holds nothing with its place.

    Raises:
        ConfigError: the form of the first rows is not known.
        DataError: a file cannot be read.
        MissingExtraError: a file needs an extra.
    """
    rows = read_rows(source.path)
    form = source.form
    if form is None:
        first = list(_first(rows))
        good = [each[1] for each in first if not isinstance(each, Malformed)]
        if not good:
            yield from (each for each in first if isinstance(each, Malformed))
            return
        form = _told(source, good)
        rows = itertools.chain(first, rows)
    for each in rows:
        if isinstance(each, Malformed):
            yield each
        elif source.only is None or _is_meant(each, source.only):
            yield _read(form, each, source.origin)


def queries(records: Iterable[Record | Malformed]) -> Iterator[Query | Malformed]:
    """Yield the queries among records, exercises as queries; a dialogue gives its first pair."""
    for each in records:
        match each:
            case Query() | Malformed():
                yield each
            case Exercise():
                yield as_query(each)
            case Example():
                yield Query(
                    each.dialogue.opening[-1].content,
                    each.dialogue.turns[0].reply if each.dialogue.turns else "",
                    each.source,
                    each.licence,
                    each.language,
                )


def _first(rows: Iterator[Placed | Malformed]) -> Iterator[Placed | Malformed]:
    """Yield rows until enough of them can be read."""
    good = 0
    for each in rows:
        yield each
        good += not isinstance(each, Malformed)
        if good == _LOOKED_AT:
            return


def _told(source: Source, rows: list[Row]) -> Form:
    try:
        return form_of(rows)
    except ConfigError as error:
        msg = f"{source.path}: {error}"
        raise ConfigError(msg) from error


def _is_meant(placed: Placed, only: Numbers) -> bool:
    value = placed[1].get(only.field)
    return isinstance(value, int) and only.first <= value <= only.last


def _read(form: Form, placed: Placed, origin: Origin) -> Record | Malformed:
    where, row = placed
    try:
        if form in EXERCISES:
            return read_exercise(form, row, origin)
        return read_row(form, row, origin)
    except UnfitError as error:
        return Malformed(where, f"not of the form {form}: {error}")


@dataclass(frozen=True, slots=True)
class QuerySet:
    """A named set of queries: its file in a folder of data, and how its rows are read."""

    name: str
    file: str
    form: Form
    origin: Origin
    about: str
    only: Numbers | None = None

    def source(self, data: Path) -> Source:
        """Return it as a source, given the folder of data."""
        return Source(data / self.file, self.origin, self.form, self.only)


def query_sets() -> tuple[QuerySet, ...]:
    """Return all that are known, in the order of the table."""
    text = files("codeloop.dataset.sources").joinpath("sets.toml").read_text(encoding="utf-8")
    return tuple(_set(entry) for entry in tomllib.loads(text)["set"])


def query_set(name: str) -> QuerySet:
    """Return a set by its name.

    Raises:
        ConfigError: there is none of that name.
    """
    known = {each.name: each for each in query_sets()}
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    msg = f"no file, folder or set of queries {name!r}{hint}"
    raise ConfigError(msg)


def _set(entry: dict[str, Any]) -> QuerySet:
    plain = Origin()
    origin = Origin(
        entry["name"],
        entry["licence"],
        entry.get("language", ""),
        (entry["query"],) if "query" in entry else plain.query,
        (entry["answer"],) if "answer" in entry else plain.answer if "query" not in entry else (),
    )
    only = Numbers(**entry["only"]) if "only" in entry else None
    return QuerySet(entry["name"], entry["file"], Form(entry["form"]), origin, entry["about"], only)
