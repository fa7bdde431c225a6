"""What is seen of one row: its lengths, and its faults."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from codeloop.core.dialogue import Role
from codeloop.core.errors import ConfigError
from codeloop.train.rendering import End, Kind, Sample
from codeloop.train.rows import Malformed
from codeloop.train.shaping import Shaping, digest
from codeloop.train.templates import Span, learned_spans, prompt_spans
from codeloop.train.tokens import TokenRow, kinds_of


class Fault(StrEnum):
    """What can be wrong with a row, and with a run as a whole."""

    MALFORMED = "malformed"  # no row
    REFUSED = "refused"  # the chat template does not take it
    MASK = "mask"  # tokens are learned that should not be, or the other way round
    STOP = "stop"  # the stop token of a reply is not learned
    SPECIAL = "special"  # a reply's text holds a token of the template
    CLAIM = "claim"  # the last run failed, and the end says that all is well
    FAILING = "failing"  # it ends in code that failed
    EMPTY = "empty"  # nothing of it is learned, at this length
    CUT = "cut"  # longer than max_length
    DUPLICATE = "duplicate"  # the same messages as a row before
    OVERLAP = "overlap"  # it holds a problem of a benchmark
    ENGINE = "engine"  # a text that the serving engine makes other tokens of


@dataclass(frozen=True, slots=True)
class RowFacts:
    """What is seen of a row: `tokens` before it is cut, what is learned after it.

    `kinds` are the learned tokens by kind: code, repair, prose. `key` is the same for equal rows.
    """

    line: int
    id: str = ""
    key: str = ""
    tokens: int = 0
    learned: int = 0
    kinds: tuple[int, ...] = (0, 0, 0)
    faults: tuple[tuple[Fault, str], ...] = ()

    @property
    def good(self) -> bool:
        """Whether there is anything to learn in it."""
        return self.learned > 0


_CLAIM = re.compile(
    r"\b(pass(es|ed)?|works?|working|correct(ly)?|fixed|succeed(s|ed)?|success(fully)?|solved|"
    r"as expected|all good)\b",
    re.IGNORECASE,
)
_DENIAL = re.compile(r"\b(not|n't|fails?|failed|failing|cannot|unable|still)\b", re.IGNORECASE)
_TRACE = re.compile(r"Traceback \(most recent call last\)|^\w*(Error|Exception)\b", re.MULTILINE)
_KINDS = (Kind.CODE, Kind.REPAIR, Kind.PROSE)


def row_of(shaping: Shaping, line: int, given: Sample | Malformed) -> tuple[RowFacts, TokenRow]:
    """Return what is seen of a line's row, and the row as tokens, cut to the length.

    What is no row, or is refused, has no tokens.
    """
    if isinstance(given, Malformed):
        return RowFacts(line, faults=((Fault.MALFORMED, given.why),)), TokenRow("", (), ())
    try:
        ((text, spans),) = learned_spans(shaping.tokenizer, shaping.template, [given])
        wanted = prompt_spans(shaping.tokenizer, shaping.template, given)
    except (ConfigError, ValueError) as error:
        why = str(error).partition("\n")[0]
        facts = RowFacts(line, given.id, _key(given), faults=((Fault.REFUSED, why),))
        return facts, TokenRow("", (), ())
    coded = shaping.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, offsets = tuple(coded["input_ids"]), coded["offset_mapping"]
    whole = TokenRow(given.id, ids, kinds_of(offsets, spans))
    row = whole.cut(shaping.max_length)
    faults: tuple[tuple[Fault, str], ...] = (
        *_of_tokens(shaping, text, whole, offsets, wanted),
        *_of_length(shaping, whole, row),
        *_of_texts(shaping, given),
    )
    counts = tuple(row.kinds.count(kind) for kind in _KINDS)
    return RowFacts(line, given.id, _key(given), len(ids), sum(counts), counts, faults), row


def _of_tokens(
    shaping: Shaping, text: str, row: TokenRow, offsets: list[Span], wanted: list[Span]
) -> Iterator[tuple[Fault, str]]:
    """Yield what is wrong with the mask, by a reference that knows nothing of the marks.

    The reference is made of the template as it is served (`prompt_spans`). What is learned has to
    be the same tokens, and to read as the same text.
    """
    reference = kinds_of(offsets, [(span, Kind.PROSE) for span in wanted])
    wrong = sum(bool(a) != bool(b) for a, b in zip(row.kinds, reference, strict=True))
    if wrong:
        yield Fault.MASK, f"{wrong} of {len(row.ids)} tokens"
    stop = shaping.tokenizer.convert_tokens_to_ids(shaping.template.stop)
    for start, end in wanted:
        at = [at for at, (begin, until) in enumerate(offsets) if begin < end and until > start]
        learned = [row.ids[each] for each in at if row.kinds[each]]
        if not learned or learned[-1] != stop:
            yield Fault.STOP, f"a reply ends in another token than {shaping.template.stop}"
            return
        said = shaping.tokenizer.decode(learned, skip_special_tokens=False)
        if not wrong and said.strip() != text[start:end].strip():
            yield Fault.MASK, "the learned tokens read otherwise than the reply"
            return


def _of_length(shaping: Shaping, whole: TokenRow, row: TokenRow) -> Iterator[tuple[Fault, str]]:
    if len(row.ids) < len(whole.ids):
        yield Fault.CUT, f"{len(whole.ids)} tokens, of which {shaping.max_length} are kept"
    if not row.learned:
        yield Fault.EMPTY, f"no reply within {shaping.max_length} tokens" if whole.learned else ""


def _of_texts(shaping: Shaping, sample: Sample) -> Iterator[tuple[Fault, str]]:
    for each in sample.replies:
        held = [token for token in shaping.tokenizer.all_special_tokens if token in each.content]
        if each.learned and held:
            yield Fault.SPECIAL, f"a reply holds {held[0]}"
            break
    ends = [each for each in sample.replies if each.end is not End.UNKNOWN]
    last = sample.replies[-1] if sample.replies else None
    if last is None or not last.learned:
        return
    failing = ends[-1].end is End.FAILED if ends else _trace_before(sample)
    if failing and last.kind is Kind.PROSE:
        if _CLAIM.search(last.content) and not _DENIAL.search(last.content):
            yield Fault.CLAIM, last.content.strip().partition("\n")[0][:120]
        else:
            yield Fault.FAILING, "the last run failed"
    elif ends and failing and last is ends[-1]:
        yield Fault.FAILING, "its last code failed"


def _trace_before(sample: Sample) -> bool:
    """Return whether what was said before the last reply is an error, where no run is recorded."""
    if len(sample.replies) < 2 or sample.messages[-1].role is not Role.ASSISTANT:  # noqa: PLR2004
        return False
    return bool(_TRACE.search(sample.messages[-2].content))


def _key(sample: Sample) -> str:
    texts = [f"{each.role.value}\0{each.content}" for each in sample.messages]
    return digest("\0".join(texts).encode("utf-8", "surrogatepass"))
