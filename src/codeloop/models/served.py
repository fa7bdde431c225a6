"""Asks an endpoint which models it serves, and how much context each has."""

from dataclasses import dataclass
from typing import Any

from codeloop.core.errors import ModelError
from codeloop.models.endpoint import Endpoint
from codeloop.models.openai import OpenAIModel

ASK_S = 15.0
CONTEXT_KEYS = ("max_model_len", "context_length", "max_context_length", "context_window")


@dataclass(frozen=True, slots=True)
class Served:
    """A model that an endpoint serves; `context_tokens` is None where it does not say."""

    name: str
    context_tokens: int | None = None


def served_models(endpoint: Endpoint, *, timeout_s: float = ASK_S) -> tuple[Served, ...]:
    """Return the models that the endpoint lists.

    Raises:
        ModelError: it cannot be reached, or lists none.
    """
    model = OpenAIModel("models", endpoint)
    try:
        answer = model.fetch("/models", timeout_s=timeout_s)
        return tuple(Served(str(row["id"]), _context_tokens(row)) for row in answer["data"])
    except (KeyError, TypeError) as error:
        msg = f"{endpoint.describe('models')}: its list of models makes no sense"
        raise ModelError(msg) from error
    finally:
        model.close()


def _context_tokens(row: dict[str, Any]) -> int | None:
    """Return the context that a row names, in the words of vLLM, LM Studio and llama.cpp."""
    meta = row.get("meta")
    values = [row.get(key) for key in CONTEXT_KEYS]
    values += [meta.get("n_ctx")] if isinstance(meta, dict) else []
    return next((value for value in values if isinstance(value, int) and value > 0), None)
