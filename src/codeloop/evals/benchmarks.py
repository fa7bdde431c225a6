"""The benchmarks that are known by name, and where their files lie."""

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path

from codeloop.core.errors import ConfigError, DataError
from codeloop.core.problem import Problem
from codeloop.evals.cruxeval import cruxeval_input, cruxeval_output
from codeloop.evals.humaneval import humaneval, humaneval_plus, leetcode
from codeloop.evals.mbpp import mbpp, mbpp_full, mbpp_plus
from codeloop.evals.multilingual import humaneval_fix, humaneval_x, mbxp
from codeloop.evals.own import own_problem
from codeloop.evals.rows import Row, digest, read_rows

Load = Callable[[Row, str], Problem | None]

OWN = "own"

_LOADERS: dict[str, Load] = {
    "humaneval": humaneval,
    "humaneval_plus": humaneval_plus,
    "mbpp": mbpp,
    "mbpp_full": mbpp_full,
    "mbpp_plus": mbpp_plus,
    "fix": humaneval_fix,
    "humaneval_x": humaneval_x,
    "mbxp": mbxp,
    "leetcode": leetcode,
    "cruxeval_output": cruxeval_output,
    "cruxeval_input": cruxeval_input,
    OWN: own_problem,
}


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A named set of problems: the file that holds it, and what that file has to be.

    `file` is relative to the data folder; `sha256` is that of `rows.digest`. `also` is another
    name for it.
    """

    name: str
    version: str
    kind: str
    language: str
    about: str
    file: str
    rows: int
    sha256: str
    licence: str
    url: str = ""
    also: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    def check(self, path: Path) -> None:
        """See that a file is the one that is known by this name.

        Raises:
            DataError: it cannot be read, or is not.
        """
        found = digest(path)
        if found != self.sha256:
            both = f"{found[:12]}..., not {self.sha256[:12]}..."
            msg = f"{path}: not {self}: the SHA-256 of its rows is {both}"
            raise DataError(msg)

    def problems(self, data: Path) -> Iterator[Problem]:
        """Yield the problems, one at a time, from the file in a data folder.

        Raises:
            DataError: the file cannot be read, or is not the one that is known by this name.
        """
        path = data / self.file
        self.check(path)
        seen: dict[str, str] = {}
        for where, row in read_rows(path):
            try:
                problem = _LOADERS[self.kind](row, where)
            except (KeyError, TypeError, ValueError, SyntaxError) as error:
                msg = f"{where}: not a problem of {self} ({error!r})"
                raise DataError(msg) from error
            if problem is None:
                continue
            before = seen.setdefault(problem.id, where)
            if before != where:
                msg = f"{where}: a second problem of the name {problem.id!r}: see {before}"
                raise DataError(msg)
            yield problem


def benchmarks() -> tuple[Benchmark, ...]:
    """Return all that are known, in the order of the table; of two versions the first is meant."""
    table = tomllib.loads(
        files("codeloop.evals").joinpath("benchmarks.toml").read_text(encoding="utf-8")
    )
    return tuple(Benchmark(**entry) for entry in table["benchmark"])


def _own(path: Path) -> Benchmark:
    found = digest(path)
    name = path.name.partition(".")[0]
    about = "one's own problems"
    return Benchmark(
        name, found[:8], OWN, "python", about, str(path.absolute()), 0, found, "one's own"
    )


def benchmark(name: str) -> Benchmark:
    """Return a benchmark by its name, by NAME@VERSION, or by the path of a file of problems.

    Raises:
        ConfigError: there is none of that name.
        DataError: the file cannot be read.
    """
    path = Path(name)
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return _own(path)
    known = benchmarks()
    for each in known:
        if name and name in {each.name, str(each), each.also}:
            return each
    names = [name for each in known for name in (each.name, str(each), each.also)]
    near = get_close_matches(name.lower(), names, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    msg = f"no benchmark {name!r}{hint} (see `codeloop eval list`)"
    raise ConfigError(msg)
