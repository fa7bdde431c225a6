"""The sets of queries that are known by name, and the sources that a text may name."""

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from codeloop.core.errors import ConfigError
from codeloop.dataset.sources.forms import Form, Origin
from codeloop.dataset.sources.ingest import Numbers, Source


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
