"""Put together what a config asks for: stages, models behind throttles, the sandbox, the store."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeloop.cli import wiring
from codeloop.cli.dataset import sandboxes
from codeloop.core.errors import ConfigError

if TYPE_CHECKING:
    from codeloop.core.problem import Problem
    from codeloop.core.protocols import Model, Session
    from codeloop.dataset.budget import Budget
    from codeloop.dataset.config import Config, ModelSettings, SandboxSettings
    from codeloop.dataset.means import Cast, Surroundings
    from codeloop.dataset.runs import Place
    from codeloop.dataset.stages import SetStage, Shop, Stage
    from codeloop.dataset.store import Store
    from codeloop.dataset.throttle import Throttle
    from codeloop.judge.many import RigPool

STORE = "store.db"
_IN_FLIGHT = 64  # calls at an endpoint of which nothing is known


@dataclass(frozen=True, slots=True)
class Making:
    """All that a run works with."""

    config: "Config"
    stages: "tuple[Stage | SetStage, ...]"
    store: "Store"
    shop: "Shop"
    surroundings: "Surroundings"
    throttles: "Mapping[str, Throttle]"

    def rows(self, limit: int | None) -> Iterator[Any]:
        """Yield the rows of all inputs, in order, at most so many."""
        import itertools

        return itertools.islice(_rows(self.config), limit)


def open_making(
    config: "Config", folder: Path, stack: ExitStack, *, budget: "Budget", again: tuple[str, ...]
) -> Making:
    """Return what a run works with; `stack` closes it.

    Raises:
        ConfigError: a stage does not fit to the one before it, or wants what is not there.
    """
    from codeloop.dataset.budget import Purse
    from codeloop.dataset.means import Surroundings
    from codeloop.dataset.pipeline import check_chain
    from codeloop.dataset.stages import PASSING, FailureClass, SetStage, Shop
    from codeloop.dataset.store import Store

    store = stack.enter_context(Store(folder / STORE, durable=config.run.durable))
    prices = {each.name: each.price for each in config.models.values()}
    throttles: dict[str, Throttle] = {}
    models: dict[Any, Model] = {}
    cast = {
        role: _cast(settings, throttles, models, stack) for role, settings in config.models.items()
    }
    place, open_session = None, None
    if config.sandbox is not None:
        place, open_session = _open_sandbox(config.sandbox, stack)
    surroundings = Surroundings(
        cast,
        place,
        open_session,
        problems=_problems(),
        rigs=_rigs(config, stack),
        purse=_purse(Purse(budget, prices), store),
    )
    stages = tuple(
        replace(each.kind.build(each.settings, surroundings), selection=each.selection)
        for each in config.stages
    )
    check_chain([each.kind for each in config.stages], stages, _input_kind(config))
    for stage in stages:
        if not isinstance(stage, SetStage):
            stage.owner(surroundings)  # every role is played
    shop = Shop(store, surroundings, again=PASSING | {FailureClass(each) for each in again})
    return Making(config, stages, store, shop, surroundings, throttles)


def _problems() -> "dict[str, Callable[[], Iterator[Problem]]]":
    """Return the problems of each benchmark by its name; a file is read when it is wanted."""
    import os
    from functools import partial

    from codeloop.cli.benchmarking import data_folder
    from codeloop.evals.benchmarks import benchmarks

    given = os.environ.get("CODELOOP_DATA")
    data = data_folder(Path(given) if given else None)
    newest_last = reversed(benchmarks())
    return {each.name: partial(each.problems, data) for each in newest_last}


def _rigs(config: "Config", stack: ExitStack) -> "RigPool | None":
    """Return rigs if a stage tries rows against benchmarks, and code may run."""
    wanted = any(hasattr(each.settings, "against") for each in config.stages)
    if not wanted or config.sandbox is None:
        return None
    from codeloop.judge.many import RigPool
    from codeloop.judge.programs import rig_programs
    from codeloop.sandbox import open_pool

    slots, programs = config.sandbox.running, rig_programs()
    pool = stack.enter_context(
        open_pool(slots=slots, guest_packages=wiring.guest_packages(), toolchain=wiring.toolchain())
    )
    return stack.enter_context(RigPool(lambda: pool.open_rig(programs), slots))


def _purse(purse: Any, store: "Store") -> Any:
    """Return the purse with what former runs have spent, as the store knows it."""
    from codeloop.core.dialogue import Usage
    from codeloop.dataset.store import Table

    for held in store.held():
        if held.table is Table.CALLS:
            purse.spend(held.owner, Usage(held.prompt_tokens, held.completion_tokens))
    return purse


def _cast(
    settings: "ModelSettings",
    throttles: "dict[str, Throttle]",
    models: "dict[Any, Model]",
    stack: ExitStack,
) -> "Cast":
    """Return the model of a role; roles of one model share it, those at one endpoint a throttle."""
    from codeloop.core.protocols import Sampling
    from codeloop.dataset.means import Cast
    from codeloop.dataset.throttle import Allowance, Throttle, ThrottledModel
    from codeloop.models import Manner, connect
    from codeloop.models.catalogue import DEFAULT

    in_flight = settings.in_flight or (1 if settings.base_url is None else _IN_FLIGHT)
    name = settings.name or DEFAULT
    key = name, settings.base_url, settings.context_tokens, in_flight, settings.streamed
    if key not in models:
        models[key] = connect(
            name,
            base_url=settings.base_url,
            context_tokens=settings.context_tokens,
            parallel=in_flight,
            manner=Manner(tries=1, streamed=settings.streamed),
        )
        stack.callback(models[key].close)
    endpoint = settings.base_url or name
    if endpoint not in throttles:
        allowance = Allowance(in_flight, settings.requests_per_minute, settings.tokens_per_minute)
        throttles[endpoint] = Throttle(allowance)
    sampling = Sampling(
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_tokens=settings.max_tokens,
        seed=settings.seed,
    )
    throttled = ThrottledModel(models[key], throttles[endpoint], try_s=settings.timeout_s)
    return Cast(throttled, sampling)


def _open_sandbox(
    settings: "SandboxSettings", stack: ExitStack
) -> "tuple[Place, Callable[[], Session]]":
    from codeloop.dataset.runs import Lending, Place
    from codeloop.sandbox import open_sandbox

    packages = wiring.guest_packages()
    sandbox = stack.enter_context(
        open_sandbox(guest_packages=packages, toolchain=wiring.toolchain())
    )

    def open_session() -> "Session":
        return sandbox.open_session(stateful=True, limits=settings.limits)

    first = open_session()
    languages = first.languages
    first.close()
    lending = Lending(open_session, sessions=settings.sessions, running=settings.running)
    return Place(sandboxes.identity(), languages, settings.limits), lending


def _rows(config: "Config") -> Iterator[Any]:
    from codeloop.dataset.records import Example, Query, read

    for each in config.inputs:
        path = config.file(each.file)
        if each.kind == "query":
            yield from read(Query, path)
        else:
            yield from read(Example, path)


def _input_kind(config: "Config") -> type:
    from codeloop.dataset.records import Example, Query

    kinds = {each.kind for each in config.inputs}
    if len(kinds) != 1 or not kinds <= {"query", "example"}:
        msg = f"{config.path}: [[input]] wants files of one kind, query or example"
        raise ConfigError(msg)
    missing = [each.file for each in config.inputs if not config.file(each.file).is_file()]
    if missing:
        msg = f"{config.path}: [[input]]: no such file: {missing[0]}"
        raise ConfigError(msg)
    return Query if kinds == {"query"} else Example
