"""Problems that are nearest to a text: by shared words, weighted by how rare they are."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from codeloop.core.problem import Problem

_WORD = re.compile(r"[a-z]+|\d+")


def _words(text: str) -> Counter[str]:
    split = re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower()
    return Counter(_WORD.findall(split))


class Nearest:
    """An index of problems by the words of their prompts and solutions (tf-idf, cosine)."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        bags = {each.id: _words(f"{each.prompt}\n{each.reference}") for each in problems}
        found_in = Counter(word for bag in bags.values() for word in bag)
        self._rarity = {word: math.log(1 + len(bags) / count) for word, count in found_in.items()}
        self._places: dict[str, list[tuple[str, float]]] = defaultdict(list)
        for name, bag in bags.items():
            weights = self._weights(bag)
            for word, weight in weights.items():
                self._places[word].append((name, weight))

    def find(self, text: str, most: int) -> list[tuple[str, float]]:
        """Return the nearest problems with their cosines, the nearest first."""
        scores: dict[str, float] = defaultdict(float)
        for word, weight in self._weights(_words(text)).items():
            for name, other in self._places[word]:
                scores[name] += weight * other
        return sorted(scores.items(), key=lambda each: (-each[1], each[0]))[:most]

    def _weights(self, bag: Counter[str]) -> dict[str, float]:
        weights = {
            word: (1 + math.log(count)) * self._rarity[word]
            for word, count in bag.items()
            if word in self._rarity
        }
        length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        return {word: weight / length for word, weight in weights.items()}
