"""Ways to a model: an endpoint over HTTP, a file in this process, a script, a recording.

What a way needs is imported when it is taken, so that `import codeloop` stays cheap.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from codeloop.core.errors import ConfigError
from codeloop.core.protocols import Model

KINDS = (
    "a model of the catalogue (see `codeloop model list`), the path of a .gguf file, the folder "
    "of a run of `codeloop train`, "
    "any name together with a base URL, scripted:FILE, replay:FILE, or record:FILE:NAME"
)


@dataclass(frozen=True, slots=True)
class Manner:
    """How an endpoint is asked: how often at most, and for its reply in pieces or whole.

    `tries` is 1 for who tries again himself; None is the client's own number.
    """

    tries: int | None = None
    streamed: bool = True


def connect(
    name: str,
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    context_tokens: int | None = None,
    parallel: int = 1,
    manner: Manner = Manner(),
) -> Model:
    """Return the model of that name; nothing is asked of a network before it is.

    `name` is one of:
    a model of the catalogue that was pulled, or the path of a .gguf file, run in this process;
    the folder of a run of `codeloop train`, as well;
    any name together with `base_url`, at an OpenAI-compatible endpoint;
    `scripted:FILE`, replies from a JSON list or from JSON lines;
    `record:FILE:NAME`, any of these, its calls written to a file;
    `replay:FILE` or `replay:FILE:NAME`, what such a file holds, without a model.

    `api_key` falls back to CODELOOP_API_KEY, then, as `base_url` is given, to OPENAI_API_KEY.
    `context_tokens` and `parallel` are what a model in this process gives to a call, and how
    many calls it works on at once; of an endpoint, `context_tokens` is what you know of it.
    `manner` is for an endpoint alone.

    Raises:
        ConfigError: there is no such model, or it was not pulled.
        MissingExtraError: it needs an extra that is not installed.
        DataError: the file is not what it should be.
        ModelError: the model cannot be loaded.
    """
    kind, _, rest = name.partition(":")
    match kind:
        case "scripted" if rest:
            return _scripted(Path(rest))
        case "replay" if rest:
            return _replay(rest)
        case "record" if rest:
            path, _, inner = rest.partition(":")
            if not inner:
                msg = f"which model is to be recorded? Say record:{path}:NAME"
                raise ConfigError(msg)
            model = connect(
                inner,
                base_url=base_url,
                api_key=api_key,
                context_tokens=context_tokens,
                parallel=parallel,
                manner=manner,
            )
            return _record(path, model)
    if base_url is not None:
        return _endpoint(name, base_url, api_key, context_tokens, manner)
    return _local(name, context_tokens, parallel)


def _scripted(path: Path) -> Model:
    from codeloop.models.scripted import ScriptedModel, read_script  # noqa: PLC0415

    return ScriptedModel(read_script(path), name=path.stem)


def _replay(rest: str) -> Model:
    from codeloop.models.recording import ReplayModel  # noqa: PLC0415

    path, _, name = rest.partition(":")
    return ReplayModel(Path(path), name=name or None)


def _record(path: str, model: Model) -> Model:
    from codeloop.models.recording import RecordingModel  # noqa: PLC0415

    return RecordingModel(model, Path(path))


def _endpoint(
    name: str, base_url: str, api_key: str | None, context_tokens: int | None, manner: Manner
) -> Model:
    from codeloop.models.endpoint import parse_endpoint  # noqa: PLC0415
    from codeloop.models.openai import OpenAIModel, Patience  # noqa: PLC0415

    key = api_key or os.environ.get("CODELOOP_API_KEY") or os.environ.get("OPENAI_API_KEY")
    endpoint = parse_endpoint(base_url, key or None)
    patience = None if manner.tries is None else Patience(tries=manner.tries)
    return OpenAIModel(
        name,
        endpoint,
        context_tokens=context_tokens,
        patience=patience,
        streamed=manner.streamed,
    )


def _local(name: str, context_tokens: int | None, parallel: int) -> Model:
    from codeloop.models.local import (  # noqa: PLC0415
        CONTEXT_TOKENS,
        LocalModel,
        LocalSettings,
        trained_files,
    )

    folder = Path(name).expanduser()
    if folder.is_dir():
        files = trained_files(folder)
        path, adapter, called = files.model, files.adapter, folder.resolve().name
    else:
        path, adapter = _gguf(name), None
        called = path.stem if name.endswith(".gguf") else name
    settings = LocalSettings(context_tokens or CONTEXT_TOKENS, parallel, adapter=adapter)
    return LocalModel(path, name=called, settings=settings)


def _gguf(name: str) -> Path:
    """Return the file of a model that runs in this process."""
    from codeloop.models.catalogue import entries, installed, nearest  # noqa: PLC0415

    known = {each.name: each for each in entries()}
    if name in known:
        if path := installed(known[name]):
            return path
        msg = f"{name} is not here yet: codeloop model pull {name}"
        raise ConfigError(msg)
    path = Path(name).expanduser()
    if path.suffix == ".gguf" or path.is_file():
        return path
    msg = f"no model {name!r}; {nearest(name, known)}. A model is {KINDS}"
    raise ConfigError(msg)
