"""What a person says in a chat: a few sentences, and no code."""

import re

_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+(?=\s|$)|\n+|$)")
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)


def first_sentences(text: str, count: int) -> str:
    """Return so many sentences of a text at most, without its code blocks."""
    sentences = (each.strip() for each in _SENTENCE.findall(_FENCE.sub(" ", text)))
    return " ".join([each for each in sentences if each.strip(".!? ")][:count])
