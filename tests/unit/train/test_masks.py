"""Which tokens are learned, compared with a reference that knows a family by two texts alone."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from unit.train.dialogues import dialogues, sources
from unit.train.families import FAMILIES, Family, family_tokenizer, template

from codeloop.core.dialogue import Role
from codeloop.core.errors import ConfigError
from codeloop.train.config import Mask
from codeloop.train.rendering import (
    Kind,
    Sample,
    TrainMessage,
    from_dialogue,
    marked,
    plain,
    with_mask,
)
from codeloop.train.templates import (
    Template,
    learned_spans,
    prompt_spans,
    rendered,
    stop_text,
    training_template,
)
from codeloop.train.tokens import TokenRow, tokenised

TOKENS = 45_000  # of each family, at least
each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


@cache
def made(family: Family) -> tuple[Any, Template]:
    tokenizer = family_tokenizer(family, sources(200))
    return tokenizer, training_template(tokenizer)


def samples(family: Family, count: int, *, mask: Mask = Mask.ALL) -> list[Sample]:
    rows = dialogues(count, system=family.system)
    return [with_mask(from_dialogue(each), mask) for each in rows]


def rows(family: Family, given: Sequence[Sample]) -> list[TokenRow]:
    tokenizer, trainable = made(family)
    return list(tokenised(tokenizer, trainable, iter(given)))


def ends(tokenizer: Any, ids: Sequence[int], *, metaspace: bool) -> list[int]:
    """Return where each token ends in the text, in bytes, from the tokens' own texts alone."""
    alphabet = {char: byte for byte, char in _byte_names().items()}
    special = set(tokenizer.all_special_tokens)
    at, found = 0, []
    for token in tokenizer.convert_ids_to_tokens(ids):
        if token in special:
            at += len(token.encode())
        elif metaspace:
            byte = token.startswith("<0x") and token.endswith(">")
            at += 1 if byte else len(token.replace("\u2581", " ").encode())
        else:
            at += len(bytes(alphabet[char] for char in token))
        found.append(at)
    return found


def _byte_names() -> dict[int, str]:
    """Return the letter by which byte-level vocabularies write each byte (GPT-2's table)."""
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    names = {byte: chr(byte) for byte in printed}
    hidden = (byte for byte in range(256) if byte not in names)
    return names | {byte: chr(256 + at) for at, byte in enumerate(hidden)}


def expected(family: Family, text: str, sample: Sample) -> list[tuple[int, int, Kind]]:
    """Return the learned places of a text, in bytes, by the family's header and stop alone."""
    at, found = 0, []
    for each in sample.messages:
        said = each.content.strip()
        if each.role is Role.ASSISTANT:
            start = text.index(family.header, at) + len(family.header)
            stop = text.index(family.stop, text.index(said, start) + len(said)) + len(family.stop)
            if each.learned:
                places = (len(text[:start].encode()), len(text[:stop].encode()))
                found.append((*places, each.kind))
            at = stop
        else:
            at = text.index(said, at) + len(said)
    return found


def wrong_tokens(family: Family, sample: Sample, row: TokenRow) -> int:
    tokenizer, trainable = made(family)
    text = rendered(tokenizer, trainable.inference, sample.messages)
    stops = ends(tokenizer, row.ids, metaspace=family.metaspace)
    assert stops[-1] == len(text.encode())
    starts = [0, *stops[:-1]]
    wanted = [Kind.NONE] * len(row.ids)
    for start, stop, kind in expected(family, text, sample):
        for at, (begin, end) in enumerate(zip(starts, stops, strict=True)):
            if end > start and begin < stop:
                wanted[at] = kind
    return sum(a != b for a, b in zip(wanted, row.kinds, strict=True))


@each_family
def test_no_token_of_45000_is_learned_wrongly(family: Family) -> None:
    total = wrong = 0
    for mask in Mask:
        given = samples(family, 40, mask=mask)
        for sample, row in zip(given, rows(family, given), strict=True):
            total += len(row.ids)
            wrong += wrong_tokens(family, sample, row)
    assert total >= TOKENS
    assert wrong == 0


@each_family
def test_a_mask_that_is_off_by_one_would_be_found(family: Family) -> None:
    (sample,) = samples(family, 1)
    (row,) = rows(family, [sample])
    shifted = TokenRow(row.id, row.ids, (0, *row.kinds[:-1]))
    assert wrong_tokens(family, sample, shifted) >= 2


@each_family
def test_the_template_that_is_trained_with_makes_the_same_text(family: Family) -> None:
    tokenizer, trainable = made(family)
    assert trainable.training != trainable.inference == template(family)
    for sample in samples(family, 40):
        ((text, _),) = learned_spans(tokenizer, trainable, [sample])
        assert text == rendered(tokenizer, template(family), sample.messages)


@each_family
def test_tokens_are_those_that_serving_would_make_of_the_messages(family: Family) -> None:
    tokenizer, _ = made(family)
    given = samples(family, 20)
    for sample, row in zip(given, rows(family, given), strict=True):
        served = tokenizer.apply_chat_template(plain(sample.messages), tokenize=True)
        assert list(row.ids) == served["input_ids"]


@each_family
def test_the_prompt_of_a_reply_is_what_stands_before_it_in_training(family: Family) -> None:
    tokenizer, trainable = made(family)
    for sample in samples(family, 20):
        ((_, spans),) = learned_spans(tokenizer, trainable, [sample])
        assert [span for span, _ in spans] == prompt_spans(tokenizer, trainable, sample)


@each_family
def test_transformers_own_mask_of_the_template_is_the_same(family: Family) -> None:
    tokenizer, trainable = made(family)
    given = samples(family, 20, mask=Mask.MASK_FAILED)
    for sample, row in zip(given, rows(family, given), strict=True):
        theirs = tokenizer.apply_chat_template(
            marked(sample.messages),
            chat_template=trainable.training,
            return_dict=True,
            return_assistant_tokens_mask=True,
        )
        assert theirs["input_ids"] == list(row.ids)
        assert theirs["assistant_masks"] == [int(kind > 0) for kind in row.kinds]


@each_family
def test_each_learned_reply_ends_in_the_stop_token_and_that_is_learned(family: Family) -> None:
    tokenizer, trainable = made(family)
    stop = tokenizer.convert_tokens_to_ids(trainable.stop)
    assert trainable.stop == family.stop == stop_text(tokenizer, template(family))
    given = samples(family, 20)
    for sample, row in zip(given, rows(family, given), strict=True):
        learned = [token for token, kind in zip(row.ids, row.kinds, strict=True) if kind]
        assert learned.count(stop) == len(sample.replies)
        assert learned[-1] == stop


def test_the_shipped_template_alone_marks_nothing() -> None:
    """Why a template has to be made trainable: without it there is a warning, and no mask."""
    tokenizer, trainable = made(FAMILIES[-1])
    (sample,) = samples(FAMILIES[-1], 1)
    bare = Template(trainable.inference, trainable.inference, trainable.stop)
    with pytest.raises(ValueError, match="zip"):
        learned_spans(tokenizer, bare, [sample])


def test_a_template_without_a_stop_token_is_refused() -> None:
    tokenizer, _ = made(FAMILIES[-1])
    endless = "{% for message in messages %}{{ message['content'] + '\n' }}{% endfor %}"
    with pytest.raises(ConfigError, match="could not learn to stop"):
        training_template(tokenizer, endless)


def test_a_template_that_cannot_be_rewritten_says_what_to_do() -> None:
    tokenizer, _ = made(FAMILIES[-1])
    hidden = (
        "{% for message in messages %}{% set whole = message['content'] + '<|im_end|>' %}"
        "{{ whole }}{% endfor %}"
    )
    with pytest.raises(ConfigError, match="template: FILE"):
        training_template(tokenizer, hidden)


def test_a_template_with_marks_of_its_own_is_taken_as_it_is() -> None:
    tokenizer, trainable = made(FAMILIES[0])
    assert training_template(tokenizer, trainable.training).training == trainable.training


def test_a_template_that_takes_no_system_message_says_so() -> None:
    family = next(each for each in FAMILIES if not each.system)
    tokenizer, trainable = made(family)
    messages = (TrainMessage(Role.SYSTEM, "s"), TrainMessage(Role.USER, "u"))
    with pytest.raises(ConfigError, match="System messages are not allowed"):
        learned_spans(tokenizer, trainable, [Sample("one", messages)])
