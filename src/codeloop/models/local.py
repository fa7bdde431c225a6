"""A model in this process: a GGUF file, run by llama.cpp, reached over a private Unix socket.

The engine comes as an HTTP server only where it counts tokens exactly and gives a prompt up
half-way; a socket in a folder of ours keeps it from opening a port.
"""

import json
import math
import os
import secrets
import shutil
import tempfile
import time
import weakref
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from codeloop.core.dialogue import Message, plain_messages
from codeloop.core.errors import ConfigError, DataError, MissingExtraError, ModelError
from codeloop.core.protocols import Reply, Sampling
from codeloop.models.endpoint import Endpoint
from codeloop.models.gguf import Header, read_header
from codeloop.models.openai import OpenAIModel, Patience
from codeloop.models.transport import Address

CONTEXT_TOKENS = 8192
COUNT_S = 60.0
PROMPT_CACHE_MIB = 512  # memory for prompts of other dialogues; the engine's own default is 8 GiB
SOCKET_PATH_BYTES = 100  # of the 108 that Linux allows
SERVED = "serve.json"  # in a folder of `codeloop train`: what is served of it
SILENT = -1  # the engine's own log level for nothing at all


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """How the engine runs a model.

    `context_tokens` is what one call has, whatever else is under way; the model's own limit
    caps it. `parallel` calls are worked on at once, further ones wait. A call that is cancelled
    in its prompt ends with the batch at hand: on a processor, small batches cost nothing, and
    128 tokens are two seconds of a 1.5B model on two cores. On a GPU, more is faster.
    """

    context_tokens: int = CONTEXT_TOKENS
    parallel: int = 1
    threads: int | None = None  # None: the cores that this process may use
    batch_tokens: int = 128
    adapter: Path | None = None  # a GGUF file of LoRA weights, put on the model's own


class LocalModel:
    """A GGUF file that is loaded when this is made; `load_s` says how long that took."""

    def __init__(
        self,
        path: Path,
        *,
        name: str | None = None,
        settings: LocalSettings | None = None,
        patience: Patience | None = None,
    ) -> None:
        """Load the file.

        Raises:
            MissingExtraError: the engine is not installed.
            DataError: it is not a whole GGUF file.
            ModelError: the engine cannot load it.
        """
        settings = settings or LocalSettings()
        header = read_header(path)
        engine = _import_engine()
        folder = _socket_folder()
        start = time.perf_counter()
        key = secrets.token_urlsafe(24)
        try:
            params = _params(engine, path, header, settings)
            params.hostnames, params.api_keys = [str(folder / "engine.sock")], [key]
            self._engine = [_start(engine, params, path)]
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self.load_s = time.perf_counter() - start
        self._context_tokens = int(params.n_ctx) // settings.parallel
        address = Address("localhost", unix=str(folder / "engine.sock"))
        self._client = OpenAIModel(
            name or path.stem, Endpoint(address, api_key=key), patience=patience
        )
        self._own = OpenAIModel(path.stem, Endpoint(address, path="", api_key=key))
        self._finish = weakref.finalize(
            self, _shut, (self._client, self._own), self._engine, folder
        )

    @property
    def name(self) -> str:
        return self._client.name

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Return how many tokens the model's template makes of the messages, exactly."""
        body = {"messages": plain_messages(messages)}
        answer = self._client.fetch("/chat/completions/input_tokens", body, timeout_s=COUNT_S)
        return int(answer["input_tokens"])

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        timeout_s: float | None = None,
    ) -> Generator[str | Reply, None, None]:
        return self._client.stream(messages, sampling, timeout_s=timeout_s)

    def tokens(self, text: str) -> list[int]:
        """Return the ids of the tokens of a text, in which no token of control is meant."""
        body = {"content": text, "add_special": False, "parse_special": False}
        answer = self._own.fetch("/tokenize", body, timeout_s=COUNT_S)
        return [int(each) for each in answer["tokens"]]

    def next_logprobs(self, tokens: Sequence[int], *, vocabulary: int) -> list[float]:
        """Return the natural log probability of each token of the vocabulary as the next one."""
        # none are told of an end or of half a character: an `a` is written whatever they are
        written = self.tokens("a")[0]
        body = {"prompt": list(tokens), "n_predict": 1, "n_probs": vocabulary}
        body |= {"logit_bias": [[written, 1000.0]], "temperature": 0.0}
        answer = self._own.fetch("/completion", body, timeout_s=COUNT_S)
        (told,) = answer["completion_probabilities"]
        known = {int(row["id"]): float(row["logprob"]) for row in told["top_logprobs"]}
        return [known.get(at, -math.inf) for at in range(vocabulary)]

    def close(self) -> None:
        """Stop what is under way and give the memory back."""
        self._finish()


def _import_engine() -> Any:
    """Import the engine with OpenMP threads that sleep when they wait.

    Spinning ones bring a machine to its knees that does anything else beside; the setting is
    read once, when the library is loaded.
    """
    name = "OMP_WAIT_POLICY"
    before = os.environ.get(name)
    os.environ.setdefault(name, "passive")
    try:
        return import_module("xllamacpp")
    except ImportError as error:
        msg = "a model in this process needs `pip install 'codeloop[local]'`"
        raise MissingExtraError(msg) from error
    finally:
        if before is None:
            del os.environ[name]


def _params(engine: Any, path: Path, header: Header, settings: LocalSettings) -> Any:
    if settings.parallel < 1 or settings.context_tokens < 1:
        msg = "parallel calls and context tokens of a local model start at 1"
        raise ConfigError(msg)
    params = engine.CommonParams()
    params.model.path = str(path)
    tokens = min(settings.context_tokens, header.context_tokens or settings.context_tokens)
    params.n_ctx = tokens * settings.parallel  # the engine gives each call an equal share
    params.n_parallel = settings.parallel
    threads = settings.threads or len(os.sched_getaffinity(0))
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.n_batch = params.n_ubatch = settings.batch_tokens
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.use_jinja = True
    params.ui = False
    params.endpoint_slots = False
    params.endpoint_metrics = True
    params.verbosity = SILENT
    if settings.adapter is not None:
        read_header(settings.adapter)
        params.lora_adapters = [engine.CommonAdapterLoraInfo(str(settings.adapter), 1.0)]
    return params


def _start(engine: Any, params: Any, path: Path) -> Any:
    try:
        server = engine.Server(params)
        server.handle_metrics()  # answered by the engine's loop: one destroyed sooner hangs
    except RuntimeError as error:
        msg = f"{path}: llama.cpp cannot load it (an unknown architecture, or too little memory)"
        raise ModelError(msg) from error
    return server


def _socket_folder() -> Path:
    """Return a new folder, for us alone, whose path is short enough for a socket in it."""
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108  made private by mkdtemp
        folder = Path(tempfile.mkdtemp(prefix="codeloop-", dir=parent))
        if len(os.fsencode(folder)) <= SOCKET_PATH_BYTES - len("/engine.sock"):
            return folder
        folder.rmdir()
    msg = "no folder for temporary files has a path short enough for a socket"
    raise ConfigError(msg)


def _shut(clients: tuple[OpenAIModel, ...], engine: list[Any], folder: Path) -> None:
    for client in clients:
        client.close()  # first: the engine waits for connections that are open
    engine.clear()
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class TrainedFiles:
    """The files that make up a trained model."""

    model: Path
    adapter: Path | None = None


def trained_files(folder: Path) -> TrainedFiles:
    """Return the files that the folder of a run says to serve.

    Raises:
        ConfigError: it says nothing, or what it names is gone.
        DataError: it cannot be read.
    """
    path = folder / SERVED
    if not path.is_file():
        msg = f"{folder}: nothing to serve there; `codeloop train export {folder}` writes it"
        raise ConfigError(msg)
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        model = folder / said["base"]  # an absolute path stays one
        adapter = folder / said["adapter"] if said.get("adapter") else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path}: does not say what to serve ({error!r})"
        raise DataError(msg) from error
    for each in (model, adapter):
        if each is not None and not each.is_file():
            msg = f"{folder}: {each} is gone; `codeloop train export {folder}` writes it anew"
            raise ConfigError(msg)
    return TrainedFiles(model, adapter)
