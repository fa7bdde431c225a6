"""The level that asks: whether a row and a problem near to it ask for the same, says a model."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from string import Template

import numpy as np
import numpy.typing as npt

from codeloop.core.dialogue import Message, Role
from codeloop.core.problem import Problem
from codeloop.core.protocols import Model, Reply, Sampling
from codeloop.dataset.decontamination.passages import Passage
from codeloop.dataset.decontamination.wording import Nearest
from codeloop.loop.prompts import text

Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]

_SHOWN_CHARS = 2000  # of each of the two
_SAMPLING = Sampling(temperature=0.0, max_tokens=4)


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom to ask, about how many near problems of a row, and how near they have to be.

    Nearness is the cosine of vectors by `embed` (texts in, rows of length 1 out), or that of words
    weighted by how rare they are if there is none.
    """

    model: Model
    embed: Embed | None = None
    most: int = 3
    least: float = 0.35

    def about(self, problems: Sequence[Problem], nearest: Nearest) -> "Asked":
        """Return the level for some problems."""
        prompts = {each.id: each.prompt for each in problems}
        return Asked(self, prompts, self._near(prompts, nearest))

    def _near(
        self, prompts: dict[str, str], nearest: Nearest
    ) -> Callable[[str], list[tuple[str, float]]]:
        if self.embed is None:
            return lambda asked: nearest.find(asked, self.most)
        embed, names = self.embed, list(prompts)
        matrix = embed(list(prompts.values()))

        def by_vectors(asked: str) -> list[tuple[str, float]]:
            cosines = matrix @ embed([asked])[0]
            order = np.argsort(-cosines, kind="stable")[: self.most]
            return [(names[at], float(cosines[at])) for at in order]

        return by_vectors


class Asked:
    """Asks a model about each problem that is near to a row."""

    def __init__(
        self,
        asking: Asking,
        prompts: dict[str, str],
        near: Callable[[str], list[tuple[str, float]]],
    ) -> None:
        self._asking = asking
        self._prompts = prompts
        self._near = near

    def find(self, passage: Passage) -> Iterator[tuple[str, str]]:
        """Yield the problem that a row asks for, as the model says.

        Raises:
            ModelError: the model fails.
        """
        for problem, cosine in self._near(passage.asked):
            if cosine >= self._asking.least and self._same(passage.asked, self._prompts[problem]):
                yield problem, f"{self._asking.model.name} says that it asks for the same"

    def _same(self, asked: str, prompt: str) -> bool:
        question = Template(text("same_problem")).substitute(
            first=prompt[:_SHOWN_CHARS], second=asked[:_SHOWN_CHARS]
        )
        *_, reply = self._asking.model.stream([Message(Role.USER, question)], _SAMPLING)
        return isinstance(reply, Reply) and reply.text.strip().lower().startswith("yes")
