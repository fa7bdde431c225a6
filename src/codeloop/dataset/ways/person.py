"""A simulated user: content with an answer in one regard, or asks for something in it."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from codeloop.core.dialogue import Dialogue, Feedback, Role, Source, Turn
from codeloop.core.protocols import Model, Sampling
from codeloop.dataset.asking import ask
from codeloop.dataset.failure import Failure, of_reply
from codeloop.dataset.keys import chooser
from codeloop.loop.prompts import feedback_text, sections
from codeloop.loop.sentences import first_sentences

SENTENCES = 2
_TOKENS = 160
_SHORT = 400  # characters of feedback; two short sentences are fewer
_YES = frozenset({"true", "yes", "1"})
_NO = frozenset({"false", "no", "0"})


class Wish(StrEnum):
    """What a user looks at. The ten of OpenCodeInterpreter (arXiv 2402.14658), appendix."""

    FORM = "form"  # syntax and formatting
    SPEED = "speed"
    FEATURE = "feature"
    CLARITY = "clarity"  # and documentation
    FAULT = "fault"  # what the code does wrong
    SAFETY = "safety"
    CHECKS = "checks"  # compatibility and tests
    RESOURCES = "resources"
    GROWTH = "growth"  # to more data
    CUSTOM = "custom"  # best practices


# parts of all dialogues, by category; what a program does wrong matters most
QUOTAS: Mapping[Wish, float] = MappingProxyType(
    {
        wish: {Wish.FAULT: 3.0, Wish.FEATURE: 2.0, Wish.FORM: 0.5, Wish.CUSTOM: 0.5}.get(wish, 1.0)
        for wish in Wish
    }
)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a user says of an answer; `feedback` is empty where they are content."""

    satisfied: bool
    feedback: str = ""


def draw_wish(key: str, quotas: Mapping[Wish, float] = QUOTAS) -> Wish:
    """Return the category of a row: by its key, so often as its quota says."""
    wishes = [wish for wish in Wish if quotas.get(wish, 0) > 0]
    weights = [quotas[wish] for wish in wishes]
    return chooser(key, "wish").choices(wishes, weights)[0]


class SimulatedUser:
    """Speaks once what ran ended well, at most `asks` times in a dialogue. Fills `Critic`.

    A reply of the model that cannot be read ends the dialogue; `failure` says why.
    """

    def __init__(
        self, model: Model, wish: Wish, *, asks: int = 1, sampling: Sampling = Sampling()
    ) -> None:
        self._model = model
        self._wish = wish
        self._asks = asks
        self._sampling = replace(sampling, max_tokens=sampling.max_tokens or _TOKENS)
        self.failure: Failure | None = None
        self.opinions: list[Opinion] = []

    def review(self, dialogue: Dialogue, turn: Turn) -> Feedback | None:
        """Return what the user asks for; None if they are content, or not asked.

        Raises:
            ModelError: the model failed.
        """
        if turn.failed or len(self.opinions) >= self._asks:
            return None
        reply = ask(self._model, self._question(dialogue, turn), self._sampling)
        opinion = read_opinion(reply.text)
        if opinion is None:
            self.failure = of_reply(reply.text, reply.finish)
            return None
        self.opinions.append(opinion)
        return None if opinion.satisfied else Feedback(Source.PERSON, opinion.feedback)

    def _question(self, dialogue: Dialogue, turn: Turn) -> str:
        say = sections("user")
        heard = turn.with_feedback(Feedback(Source.PERSON))  # who speaks has seen the output
        result = feedback_text(heard)
        return say["ask"].substitute(
            request=_request(dialogue),
            answer=turn.reply,
            ran=(say["ran"] if result else say["not_run"]).substitute(result=result),
            wish=say[self._wish.value].substitute(),
        )


def read_opinion(text: str) -> Opinion | None:
    """Return the opinion in a reply, which may stand in a fence or amid words; None if in none.

    Feedback is cut to two short sentences without code. Who is not content and says nothing has
    no opinion.
    """
    for held in _objects(text):
        satisfied = _truth(held.get("satisfied"))
        said = held.get("feedback", "")
        if satisfied is None or not isinstance(said, str | None):
            continue
        feedback = first_sentences(said or "", SENTENCES)
        if satisfied:
            return Opinion(True)
        if feedback and len(feedback) <= _SHORT:
            return Opinion(False, feedback)
    return None


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the objects that a text holds: JSON, or as Python would write them."""
    decoder = json.JSONDecoder(strict=False)
    for found in re.finditer(r"\{", text):
        try:
            held = decoder.raw_decode(text, found.start())[0]
        except ValueError:
            held = _python(text[found.start() : text.find("}", found.start()) + 1])
        if isinstance(held, dict):
            yield {str(key).strip().lower(): value for key, value in held.items()}


def _python(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _truth(value: Any) -> bool | None:
    word = str(value).strip().lower()
    return True if word in _YES else False if word in _NO else None


def _request(dialogue: Dialogue) -> str:
    """Return what the user asked for first, and all that they have asked since."""
    asked = [each.content for each in dialogue.opening if each.role is Role.USER]
    for turn in dialogue.turns:
        asked += [each.text for each in turn.feedback if each.source is Source.PERSON]
    return "\n\n".join(asked)
