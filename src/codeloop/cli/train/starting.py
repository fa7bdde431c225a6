"""Which model a config names, and with what held-out problems are tried: the wiring of train."""

import argparse
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from codeloop.cli import benchmarking, wiring
from codeloop.core.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from codeloop.train.config import TrainConfig
    from codeloop.train.loading import Origin
    from codeloop.train.tuning.solving import HeldOut, Solved


def need_extra() -> None:
    """See that the extra is there, and have it draw no bars.

    Raises:
        MissingExtraError: it is not.
    """
    try:
        import trl  # noqa: F401
    except ImportError as error:
        msg = "training needs `pip install 'codeloop[train]'`"
        raise MissingExtraError(msg) from error
    import datasets
    import transformers

    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()


def fit(config: "TrainConfig") -> "TrainConfig":
    """Return a config as this machine can compute it; say what is not as it was asked for."""
    from codeloop.train.precision import fitted

    found = fitted(config)
    if found is not config:
        print("fp32 in place of bf16, for which this machine has no instructions", file=sys.stderr)
    return found


def origin_of(name: str, *, online: bool) -> "Origin":
    """Return where a model lies: in the catalogue, at a path, in a run, or on a hub.

    Raises:
        ConfigError: it is a model of the catalogue that was not pulled.
    """
    from codeloop.models.catalogue import entries, installed
    from codeloop.train.loading import Origin

    known = {each.name: each for each in entries()}
    if name in known:
        path = installed(known[name])
        if path is None:
            msg = f"{name} is not here yet: codeloop model pull {name}"
            raise ConfigError(msg)
        return Origin(name, path)
    path = Path(name).expanduser()
    if path.exists():
        return Origin(path.resolve().name, path)
    return Origin(name, None, online)


def add_online(parser: argparse.ArgumentParser) -> None:
    """Add the flag that lets a model be fetched."""
    parser.add_argument(
        "--online", action="store_true", help="a model of a hub may be fetched (default: it is not)"
    )


@contextmanager
def engine(folder: Path, vocabulary: int) -> "Iterator[Callable[[Sequence[int]], list[float]]]":
    """Yield the serving engine with what a folder serves: the next token's log probabilities."""
    from codeloop.models.local import LocalModel, LocalSettings, trained_files

    files = trained_files(folder)
    settings = LocalSettings(2048, adapter=files.adapter)
    model = LocalModel(files.model, settings=settings)
    try:
        yield lambda tokens: model.next_logprobs(tokens, vocabulary=vocabulary)
    finally:
        model.close()


@contextmanager
def open_solve(
    args: argparse.Namespace, held: "HeldOut | None"
) -> "Iterator[Callable[[Path], Solved] | None]":
    """Yield what tries the held-out problems; None where a config asks for none."""
    from codeloop.evals.benchmarks import benchmark

    if held is None:
        yield None
        return
    chosen = benchmark(held.benchmark)
    with benchmarking.open_rigs(args) as pool:
        prepared = benchmarking.open_prepared(chosen, args, pool)
        yield lambda folder: solved(folder, held, prepared, pool)


def solved(folder: Path, held: "HeldOut", prepared: object, pool: object) -> "Solved":
    """Have what a folder serves try the held-out problems; return what it solved.

    Raises:
        SandboxError: our side failed.
    """
    from codeloop.core.ordered import in_order
    from codeloop.evals.metrics import wilson
    from codeloop.evals.run import Evaluation
    from codeloop.evals.settings import FeedbackKind, Settings
    from codeloop.train.tuning.solving import Solved

    settings = Settings(
        str(prepared.benchmark),  # type: ignore[attr-defined]
        folder.name,
        feedback=FeedbackKind.EXECUTION,
        turns=held.turns,
        max_tokens=held.max_tokens,
    )
    names = prepared.ids[: held.problems]  # type: ignore[attr-defined]
    with wiring.open_model(str(folder), None, parallel=held.in_flight) as model:
        evaluation = Evaluation(prepared, model, pool, settings)  # type: ignore[arg-type]
        rows = list(
            in_order(lambda name: evaluation.dialogue(name, 0), names, threads=held.in_flight)
        )
    first = sum(_passes(row, 0) for row in rows)
    after = sum(_passes(row, -1) for row in rows)
    total = len(names)
    return Solved(total, first, after, wilson(first, total), wilson(after, total))


def _passes(row: dict[str, object], at: int) -> bool:
    """Return whether a turn's solution passes; a call that failed solved nothing."""
    turns = row.get("turns")
    if not isinstance(turns, list):
        return False
    turn = turns[at]
    return bool(turn["base"] if turn["plus"] is None else turn["plus"])
