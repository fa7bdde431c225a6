"""What the work on one row is given: choices, models by role, sessions, problems."""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from codeloop.core.dialogue import Usage
from codeloop.core.errors import ConfigError
from codeloop.core.problem import Problem
from codeloop.core.protocols import Model, Sampling, Session
from codeloop.core.records import to_json
from codeloop.dataset.budget import Purse
from codeloop.dataset.calls import Asking, StoredModel
from codeloop.dataset.keys import chooser
from codeloop.dataset.runs import Place, StoredSession
from codeloop.dataset.store import Store
from codeloop.judge.many import RigPool


@dataclass(frozen=True, slots=True)
class Cast:
    """A model in a role, and how it is to write there."""

    model: Model
    sampling: Sampling = Sampling()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a whole run is handed: models by role, where code runs, problems by name of their set.

    `problems` are those of benchmarks, for what must not be in a dataset; `rigs` try against them.
    """

    cast: Mapping[str, Cast] = field(default_factory=dict)
    place: Place | None = None
    open_session: Callable[[], Session] | None = None
    problems: Mapping[str, Callable[[], Iterable[Problem]]] = field(default_factory=dict)
    rigs: RigPool | None = None
    purse: Purse = field(default_factory=Purse)
    asking: Asking = field(default_factory=Asking)

    def describe(self, role: str) -> list[Any]:
        """Return what a role is, as a key has it: its model's name and how it writes.

        Raises:
            ConfigError: nobody plays it.
        """
        cast = self.played(role)
        return [role, cast.model.name, to_json(cast.sampling)]

    def played(self, role: str) -> Cast:
        """Return who plays a role.

        Raises:
            ConfigError: nobody does.
        """
        if role not in self.cast:
            msg = f"no model has the role {role!r}: add a table [models.{role}]"
            raise ConfigError(msg)
        return self.cast[role]


class Means:
    """What one try on one row is given; closed when it is over."""

    def __init__(
        self, key: str, surroundings: Surroundings, store: Store, *, attempt: int = 0
    ) -> None:
        self.key = key
        self.attempt = attempt
        self._surroundings = surroundings
        self._store = store
        self._models: dict[str, StoredModel] = {}
        self._sessions: list[StoredSession] = []

    def chooser(self, purpose: str) -> random.Random:
        """Return a source of random choices that follow from the row's key and the purpose."""
        return chooser(self.key, purpose)

    def model(self, role: str) -> StoredModel:
        """Return the model of a role; its replies are kept.

        Raises:
            ConfigError: nobody plays it.
        """
        if role not in self._models:
            surroundings = self._surroundings
            self._models[role] = StoredModel(
                surroundings.played(role).model,
                self._store,
                surroundings.asking,
                surroundings.purse,
                attempt=self.attempt,
            )
        return self._models[role]

    def sampling(self, role: str) -> Sampling:
        """Return how the model of a role is to write."""
        return self._surroundings.played(role).sampling

    def session(self) -> StoredSession:
        """Return a new session, whose runs are kept; it is closed when the try is over.

        Raises:
            ConfigError: no code may run here.
        """
        place, open_session = self._surroundings.place, self._surroundings.open_session
        if place is None or open_session is None:
            msg = "this stage runs code, and there is no sandbox: add a table [sandbox]"
            raise ConfigError(msg)
        session = StoredSession(place, open_session, self._store)
        self._sessions.append(session)
        return session

    @property
    def usage(self) -> Usage:
        """The tokens of all replies so far, those that came from the store too."""
        models = self._models.values()
        return Usage(
            sum(each.usage.prompt_tokens for each in models),
            sum(each.usage.completion_tokens for each in models),
        )

    def close(self) -> None:
        for session in self._sessions:
            session.close()
