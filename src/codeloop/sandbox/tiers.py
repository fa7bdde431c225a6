"""Tiers: how much is imported before a program starts, chosen by what the program imports."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from codeloop.core.errors import SandboxError


class Closable(Protocol):
    """What can be closed."""

    def close(self) -> None: ...


T = TypeVar("T", bound=Closable)


@dataclass(frozen=True, slots=True)
class Tier:
    """A zygote's preparation, for programs that import one of `wanted_by`."""

    name: str
    preload: tuple[str, ...]
    wanted_by: tuple[str, ...]


BARE = Tier("bare", (), ())
# The fullest first: a program that wants one has what the next ones hold too.
TIERS = (
    Tier(
        "plots",
        ("numpy", "pandas", "matplotlib", "matplotlib.pyplot"),
        ("matplotlib", "seaborn"),
    ),
    Tier("pandas", ("numpy", "pandas"), ("pandas",)),
    Tier("numpy", ("numpy",), ("numpy", "scipy")),
    BARE,
)
# A judge's request has a few bytes before the source, so the first line may begin with anything.
_IMPORT = re.compile(rb"(?:^[ \t]*|\A[\s\S]{0,32}?)(?:import|from)[ \t]([^\n#]*)", re.MULTILINE)
_WORD = re.compile(rb"\w+")


def tier_of(source: bytes, tiers: tuple[Tier, ...] = TIERS) -> Tier:
    """Return the tier for a program, or for whatever else has its source in it.

    A wrong guess costs time and nothing else: what is not there yet is imported then.
    """
    if len(tiers) == 1:
        return tiers[0]
    named = {word for line in _IMPORT.findall(source) for word in _WORD.findall(line)}
    for tier in tiers:
        if any(module.encode() in named for module in tier.wanted_by):
            return tier
    return BARE


def tiers_for(guest_packages: Path | None) -> tuple[Tier, ...]:
    """Return the tiers whose modules are all among the packages that guests may import."""
    if guest_packages is None:
        return (BARE,)

    def is_there(module: str) -> bool:
        return (guest_packages / module.partition(".")[0]).is_dir()

    return tuple(tier for tier in TIERS if all(map(is_there, tier.preload)))


class ByTier(Generic[T]):
    """One of a kind for each tier, made when first wanted; closed together."""

    def __init__(self, tiers: tuple[Tier, ...], make: Callable[[Tier], T]) -> None:
        self._tiers = tiers
        self._make = make
        self._made: dict[str, T] = {}
        self._lock = threading.Lock()
        self._closed = False

    def for_source(self, source: bytes) -> T:
        """Return the one for a program, or for whatever else has its source in it.

        Raises:
            SandboxError: all were closed.
        """
        return self.of(tier_of(source, self._tiers))

    def of(self, tier: Tier) -> T:
        """Return the one for a tier.

        Raises:
            SandboxError: all were closed.
        """
        with self._lock:
            if self._closed:
                msg = "this was closed"
                raise SandboxError(msg)
            if tier.name not in self._made:
                self._made[tier.name] = self._make(tier)
            return self._made[tier.name]

    def drop(self, broken: T) -> None:
        """Close one; another is made when it is wanted."""
        with self._lock:
            self._made = {name: each for name, each in self._made.items() if each is not broken}
        broken.close()

    def close(self) -> None:
        """Close all."""
        with self._lock:
            self._closed = True
            made, self._made = self._made, {}
        for each in made.values():
            each.close()
