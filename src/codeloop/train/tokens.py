"""Rows as tokens, each with what it belongs to: what a trainer is given."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from codeloop.train.rendering import Kind, Sample
from codeloop.train.templates import Span, Template, learned_spans

IGNORED = -100  # the label that a loss leaves out, of torch's cross entropy
BATCH_ROWS = 256  # tokenised at once


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A row as tokens: `kinds` says for each token which kind of reply it is, 0 if not learned."""

    id: str
    ids: tuple[int, ...]
    kinds: tuple[int, ...]

    @property
    def learned(self) -> int:
        """How many tokens are learned."""
        return sum(1 for each in self.kinds if each)

    def cut(self, tokens: int) -> "TokenRow":
        """Return the row with its first tokens alone."""
        return TokenRow(self.id, self.ids[:tokens], self.kinds[:tokens])

    def columns(self) -> dict[str, list[int]]:
        """Return the row as TRL takes it: ids, labels, and the kinds for a loss told apart."""
        pairs = zip(self.ids, self.kinds, strict=True)
        return {
            "input_ids": list(self.ids),
            "labels": [token if kind else IGNORED for token, kind in pairs],
            "kinds": list(self.kinds),
        }


def tokenised(tokenizer: Any, template: Template, samples: Iterator[Sample]) -> Iterator[TokenRow]:
    """Yield rows as tokens, many at once, in order.

    A token is learned if any of its characters is: at the seam of prompt and reply this is what
    the model has to write there.

    Raises:
        ConfigError: the template does not take a row's messages.
    """
    while batch := list(islice(samples, BATCH_ROWS)):
        yield from tokenised_batch(tokenizer, template, batch)


def tokenised_batch(
    tokenizer: Any, template: Template, samples: Sequence[Sample]
) -> list[TokenRow]:
    """Return rows as tokens."""
    marked = learned_spans(tokenizer, template, samples)
    coded = tokenizer(
        [text for text, _ in marked],
        add_special_tokens=False,
        return_offsets_mapping=True,
        return_attention_mask=False,
    )
    rows = zip(samples, marked, coded["input_ids"], coded["offset_mapping"], strict=True)
    return [
        TokenRow(sample.id, tuple(ids), kinds_of(offsets, spans))
        for sample, (_, spans), ids, offsets in rows
    ]


def kinds_of(offsets: Sequence[Span], spans: Sequence[tuple[Span, Kind]]) -> tuple[int, ...]:
    """Return the kind of each token: that of the span which holds one of its characters."""
    kinds = [0] * len(offsets)
    token = 0
    for (start, end), kind in spans:
        while token < len(offsets) and offsets[token][1] <= start:
            token += 1
        while token < len(offsets) and offsets[token][0] < end:
            kinds[token] = int(kind)
            token += 1
    return tuple(kinds)
