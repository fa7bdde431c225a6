"""One question to a model, and its whole reply."""

from contextlib import closing

from codeloop.core.dialogue import Dialogue
from codeloop.core.errors import ModelError
from codeloop.core.protocols import Model, Reply, Sampling


def ask(model: Model, text: str, sampling: Sampling) -> Reply:
    """Return the model's reply to one message.

    Raises:
        ModelError: there is none.
    """
    with closing(model.stream(Dialogue.ask(text).opening, sampling)) as stream:
        for piece in stream:
            if isinstance(piece, Reply):
                return piece
    msg = f"{model.name} ended its reply without saying so"
    raise ModelError(msg)
