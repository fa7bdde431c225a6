"""The models of a server: by name, opened when first asked for; and a call that can be stopped."""

import queue
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing

from codeloop.core.dialogue import Message
from codeloop.core.errors import ConfigError, ModelError
from codeloop.core.protocols import Model, Reply, Sampling


class Models:
    """Opens each model once, and shares it; may be used from many threads."""

    def __init__(self, names: Sequence[str], open_model: Callable[[str], Model]) -> None:
        self.names = tuple(names)
        self._open = open_model
        self._lock = threading.Lock()
        self._models: dict[str, Model] = {}

    @property
    def default(self) -> str:
        """The name of the model that is taken if none is named; empty if there is none."""
        return self.names[0] if self.names else ""

    def get(self, name: str) -> Model:
        """Return the model of that name.

        Raises:
            ConfigError: the server has none of that name.
            ModelError: it cannot be opened.
        """
        if name not in self.names:
            msg = f"no model {name!r} here; there is {', '.join(self.names) or 'none'}"
            raise ConfigError(msg)
        with self._lock:
            if name not in self._models:
                self._models[name] = self._open(name)
            return self._models[name]

    def close(self) -> None:
        for model in self._models.values():
            model.close()
        self._models.clear()


class StoppedError(ModelError):
    """A person stopped the call."""


class _End:
    """Marks the end of what a call yields."""


class StoppableModel:
    """A model whose call `stop` ends at once, whatever the model is busy with.

    A thread of its own reads from the model. `on_call` is told of each call as it begins.
    """

    def __init__(self, model: Model, on_call: Callable[[], None] = lambda: None) -> None:
        self._model = model
        self._on_call = on_call
        self._stopped = threading.Event()
        self._pieces: queue.SimpleQueue[str | Reply | _End | BaseException] = queue.SimpleQueue()

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def context_tokens(self) -> int | None:
        return self._model.context_tokens

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self._model.count_tokens(messages)

    def stream(
        self, messages: Sequence[Message], sampling: Sampling, *, timeout_s: float | None = None
    ) -> Generator[str | Reply, None, None]:
        """Pass on what the model yields.

        Raises:
            StoppedError: somebody stopped it.
            ModelError: as the model does.
        """
        self._on_call()
        pieces = self._pieces = queue.SimpleQueue()
        given_up = threading.Event()

        def read() -> None:
            try:
                with closing(self._model.stream(messages, sampling, timeout_s=timeout_s)) as stream:
                    for piece in stream:
                        if given_up.is_set():
                            return
                        pieces.put(piece)
                pieces.put(_End())
            except BaseException as error:  # noqa: BLE001  raised again where it is waited for
                pieces.put(error)

        if self._stopped.is_set():
            raise StoppedError
        threading.Thread(target=read, name="model-call", daemon=True).start()
        try:
            while True:
                piece = pieces.get()
                if self._stopped.is_set():
                    raise StoppedError
                match piece:
                    case _End():
                        return
                    case BaseException():
                        raise piece
                    case _:
                        yield piece
        finally:
            given_up.set()

    def stop(self) -> None:
        """End the call in progress, and every one after it."""
        self._stopped.set()
        self._pieces.put(_End())

    def close(self) -> None:
        """Do nothing: the model is the server's."""
