"""One question to a model, and its whole reply."""

from contextlib import closing

from codeloop.core.dialogue import Dialogue
from codeloop.core.errors import ModelError
from codeloop.core.protocols import Model, Reply, Sampling
from codeloop.dataset.failure import Failure, of_model


def ask(model: Model, text: str, sampling: Sampling) -> Reply | Failure:
    """Return the model's reply to one message, or why there is none."""
    try:
        with closing(model.stream(Dialogue.ask(text).opening, sampling)) as stream:
            for piece in stream:
                if isinstance(piece, Reply):
                    return piece
    except ModelError as error:
        return of_model(error)
    return of_model(ModelError(f"{model.name} ended its reply without saying so"))
