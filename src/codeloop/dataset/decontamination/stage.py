"""The stages that take out what gives a benchmark away: of queries, and of finished examples."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from codeloop.core.errors import ConfigError, MissingExtraError
from codeloop.dataset.means import Surroundings
from codeloop.dataset.records import Example, Query
from codeloop.dataset.stages import Gone, SetStage, StageKind


@dataclass(frozen=True, slots=True)
class Settings:
    """Against which benchmarks, and whether the functions of rows are run."""

    against: tuple[str, ...] = ("humaneval", "mbpp", "mbpp+")
    run: bool = True


def _built(name: str, made: type) -> Callable[[Settings, Surroundings], SetStage]:
    def build(settings: Settings, surroundings: Surroundings) -> SetStage:
        """Return the stage.

        Raises:
            ConfigError: a benchmark is not known, or functions are to run and there is no rig.
            MissingExtraError: the extra `dataset` is not installed.
        """
        unknown = [each for each in settings.against if each not in surroundings.problems]
        if unknown:
            msg = f"{name}: no benchmark {unknown[0]!r} (see `codeloop eval list`)"
            raise ConfigError(msg)
        if settings.run and surroundings.rigs is None:
            msg = f"{name} runs code, and there is no sandbox: add a table [sandbox]"
            raise ConfigError(msg)

        def work(rows: Iterable[Any]) -> Iterator[Any]:
            return _looked(rows, settings, surroundings)

        return SetStage(name, "1", work, made, settings=settings)

    return build


def _looked(rows: Iterable[Any], settings: Settings, surroundings: Surroundings) -> Iterator[Any]:
    try:
        from codeloop.dataset.decontamination.leaks import (  # noqa: PLC0415  it needs the extra
            Decontamination,
        )
    except ModuleNotFoundError as error:
        msg = f"decontamination needs {error.name}: pip install 'codeloop[dataset]'"
        raise MissingExtraError(msg) from error
    problems = [each for name in settings.against for each in surroundings.problems[name]()]
    pool = surroundings.rigs if settings.run else None
    threads = pool.rigs if pool else 1
    for row, leaks in Decontamination(problems, pool=pool).look(rows, threads=threads):
        if leaks:
            key = row.id if isinstance(row, Query) else row.dialogue.id
            yield Gone(key, f"leak_{leaks[0].level}", f"{leaks[0].problem}: {leaks[0].note}")
        else:
            yield row


KIND = StageKind("decontaminate", Query, Settings, _built("decontaminate", Query))
EXAMPLES_KIND = StageKind(
    "decontaminate_examples", Example, Settings, _built("decontaminate_examples", Example)
)
