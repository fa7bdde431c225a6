"""Bring the files of benchmarks from where they are public: for `codeloop eval pull`."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from codeloop.core.errors import ConfigError, DataError, ModelError
from codeloop.core.execution import MIB

if TYPE_CHECKING:
    from codeloop.evals.benchmarks import Benchmark

MOST_BYTES = 64 * MIB  # of a file; the largest has 2


def chosen(name: str) -> "list[Benchmark]":
    """Return the benchmark of that name, or for `all` one for each file that is known.

    Raises:
        ConfigError: there is none of that name.
    """
    from codeloop.evals.benchmarks import benchmark, benchmarks

    if name == "all":
        return list({each.file: each for each in reversed(benchmarks())}.values())[::-1]
    return [benchmark(name)]


def pull(wanted: "Iterable[Benchmark]", data: Path) -> Iterator[str]:
    """Bring the files into a data folder; yield a line on each.

    Raises:
        ConfigError: a benchmark is one's own.
        DataError: some could not be brought, or are not what they should be; the text names them.
    """
    failed = []
    for each in wanted:
        if not each.url:
            msg = f"{each}: a file of one's own, which is public nowhere"
            raise ConfigError(msg)
        try:
            yield _pull(each, data / each.file)
        except (ModelError, DataError) as error:
            failed.append(f"{each}: {error}")
    if failed:
        raise DataError("; ".join(failed))


def _pull(wanted: "Benchmark", path: Path) -> str:
    from codeloop.models.fetch import fetch

    try:
        new = fetch(wanted.url, path, wanted.check, most_bytes=MOST_BYTES)
        size = path.stat().st_size
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror})"
        raise DataError(msg) from error
    if not new:
        wanted.check(path)
    return f"{wanted}: {'brought' if new else 'here'}, {size} bytes, {wanted.licence}: {path}"
