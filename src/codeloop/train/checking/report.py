"""The report about a dataset before any weight is loaded, and the refusal to train on a bad one."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeloop.core.dialogue import Role
from codeloop.core.errors import DataError
from codeloop.train.cache import Shard, shards
from codeloop.train.checking.findings import Finding, findings
from codeloop.train.checking.lengths import Lengths, lengths
from codeloop.train.config import DataSettings, Split, TrainConfig
from codeloop.train.facts import Fault, RowFacts
from codeloop.train.rendering import Kind, Sample, with_mask
from codeloop.train.rows import Malformed, mixed, read_samples, takes
from codeloop.train.shaping import Shaping, digest
from codeloop.train.templates import learned_spans
from codeloop.train.tokens import kinds_of

ENGINE_TEXTS = 400  # that the serving engine is asked for
ENGINE_CHARACTERS = 2000  # of each
KINDS = (Kind.CODE, Kind.REPAIR, Kind.PROSE)

Tokenise = Callable[[str], Sequence[int]]
Overlaps = Callable[[str], Iterable[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file of a config: its shards, and how often an epoch takes each row."""

    data: DataSettings
    path: Path
    shards: tuple[Shard, ...]
    often: float

    @property
    def facts(self) -> Iterable[RowFacts]:
        return (each for shard in self.shards for each in shard.facts)

    @property
    def good(self) -> list[RowFacts]:
        """The rows that are trained on."""
        return [each for each in self.facts if each.good]


@dataclass(frozen=True, slots=True)
class Share:
    """A file's part of an epoch: rows, tokens and learned tokens, as often as they are taken."""

    path: str
    split: Split
    rows: int
    often: float
    epoch_rows: int
    epoch_tokens: int
    epoch_learned: int


@dataclass(frozen=True, slots=True)
class Preview:
    """A row as it is learned: its place, and its tokens as texts with their kinds."""

    where: str
    pieces: tuple[tuple[str, Kind], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What was seen. `kinds` are the learned tokens of an epoch by kind: code, repair, prose."""

    files: tuple[CheckedFile, ...]
    shares: tuple[Share, ...]
    lengths: Lengths
    kinds: tuple[int, int, int]
    findings: tuple[Finding, ...]
    previews: tuple[Preview, ...]
    max_length: int
    engine_texts: int
    data_hash: str

    @property
    def epoch_tokens(self) -> int:
        """The tokens that an epoch goes through, cut to the length."""
        return sum(each.epoch_tokens for each in self.shares if each.split is Split.TRAIN)

    @property
    def refusals(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.refuses)

    def refuse(self) -> None:
        """Stop before training on data that forbid it.

        Raises:
            DataError: something is wrong; says what to do.
        """
        if self.refusals:
            first = self.refusals[0]
            where, what = first.places[0]
            msg = f"{where}: {first.says} ({first.rows} rows; here: {what}): {first.cure}"
            raise DataError(msg)


def check(  # noqa: PLR0913  what a check may be given
    config: TrainConfig,
    shaping: Shaping,
    folder: Path,
    *,
    workers: int | None = None,
    engine: Tokenise | None = None,
    overlaps: Overlaps | None = None,
    previews: int = 4,
    see: Callable[[int], object] = lambda _: None,
) -> Report:
    """Look at all rows of a config; `folder` holds tokenised rows by content.

    `engine` is how the serving engine tokenises a text; `overlaps` names the benchmark problems
    that a text holds, each with how it is there.

    Raises:
        DataError: a file cannot be read.
    """
    workers = workers or len(os.sched_getaffinity(0))
    files = _files(config, shaping, folder, workers, see)
    more = [*_overlapping(files, overlaps), *_told_apart(files, shaping, engine)]
    rows = sum(1 for each in files for _ in each.facts)
    asked = min(ENGINE_TEXTS, rows) if engine else None
    found = findings([(str(each.path), each.facts) for each in files], more, checked=asked)
    training = [each for each in files if each.data.split is Split.TRAIN]
    tokens = [row.tokens for each in training for row in each.facts if row.tokens]
    places = {where: what for each in found for where, what in each.places}
    counted = [sum(_of_kind(each, at) for each in training) for at in range(3)]
    return Report(
        tuple(files),
        tuple(_share(each, config.max_length) for each in files),
        lengths(tokens, max_length=config.max_length, seed=config.seed),
        (counted[0], counted[1], counted[2]),
        tuple(found),
        tuple(_previews(files, shaping, previews, set(places))),
        config.max_length,
        asked or 0,
        _hash(files),
    )


def _files(
    config: TrainConfig,
    shaping: Shaping,
    folder: Path,
    workers: int,
    see: Callable[[int], object],
) -> list[CheckedFile]:
    made = {
        each: shards(config.file(each.path), shaping, folder, workers=workers, see=see)
        for each in config.data
    }
    found = []
    for split in Split:
        of_split = config.of(split)
        counts = [sum(row.good for shard in made[each] for row in shard.facts) for each in of_split]
        often = takes(of_split, counts)
        found += [
            CheckedFile(each, config.file(each.path), tuple(made[each]), times)
            for each, times in zip(of_split, often, strict=True)
        ]
    return found


def epoch(files: Sequence[CheckedFile], *, seed: int) -> list[tuple[int, int]]:
    """Return an epoch of files as pairs: which file, which of all its rows; good rows alone."""
    good = [[at for at, row in enumerate(each.facts) if row.good] for each in files]
    order = mixed([len(each) for each in good], [each.often for each in files], seed=seed)
    return [(file, good[file][row]) for file, row in order]


def _share(file: CheckedFile, length: int) -> Share:
    good = file.good
    tokens = sum(min(each.tokens, length) for each in good)
    learned = sum(each.learned for each in good)
    rows = sum(1 for _ in file.facts)
    often = file.often
    taken = (round(often * each) for each in (len(good), tokens, learned))
    return Share(str(file.path), file.data.split, rows, often, *taken)


def _of_kind(file: CheckedFile, at: int) -> int:
    return round(file.often * sum(each.kinds[at] for each in file.facts))


def _hash(files: Sequence[CheckedFile]) -> str:
    """Return what is the same for the same rows in the same order, taken as often."""
    parts = [
        f"{each.data.split.value} {each.often:.6g} {shard.arrow.stem}"
        for each in files
        for shard in each.shards
    ]
    return digest("\n".join(parts).encode())


def _overlapping(
    files: Sequence[CheckedFile], overlaps: Overlaps | None
) -> Iterable[tuple[Fault, str, str]]:
    if overlaps is None:
        return
    for file in files:
        for row, sample in zip(file.facts, read_samples(file.path), strict=True):
            if isinstance(sample, Malformed):
                continue
            where = f"{file.path}:{row.line}"
            text = "\n\n".join(each.content for each in sample.messages)
            for problem, how in overlaps(text):
                yield Fault.OVERLAP, where, f"{problem}: {how}"


def _told_apart(
    files: Sequence[CheckedFile], shaping: Shaping, engine: Tokenise | None
) -> Iterable[tuple[Fault, str, str]]:
    """Yield the texts, of replies spread over all files, that two tokenizers make other tokens."""
    if engine is None:
        return
    asked = 0
    for file in files:
        rows = sum(1 for _ in file.facts)
        step = max(1, rows * len(files) // ENGINE_TEXTS)
        for at, sample in enumerate(read_samples(file.path)):
            if at % step or asked >= ENGINE_TEXTS or isinstance(sample, Malformed):
                continue
            said = [each.content for each in sample.messages if each.role is not Role.SYSTEM]
            text = "\n".join(said)[:ENGINE_CHARACTERS]
            asked += 1
            ours = shaping.tokenizer(text, add_special_tokens=False)["input_ids"]
            theirs = list(engine(text))
            if ours != theirs:
                yield Fault.ENGINE, f"{file.path} ({sample.id})", _difference(ours, theirs)


def _difference(ours: Sequence[int], theirs: Sequence[int]) -> str:
    pairs = enumerate(zip(ours, theirs, strict=False))
    at = next((at for at, (a, b) in pairs if a != b), min(len(ours), len(theirs)))
    return f"{len(ours)} tokens here, {len(theirs)} there, from token {at} on"


def _previews(
    files: Sequence[CheckedFile], shaping: Shaping, count: int, faulty: set[str]
) -> Iterable[Preview]:
    """Yield the first rows of each file, and the first ones with a fault."""
    for file in files:
        shown = 0
        for row, sample in zip(file.facts, read_samples(file.path), strict=True):
            where = f"{file.path}:{row.line}"
            wanted = shown < count or where in faulty
            if wanted and row.tokens and not isinstance(sample, Malformed):
                shown += 1
                yield preview(shaping, where, with_mask(sample, shaping.mask))
            if shown >= 3 * count:
                break


def preview(shaping: Shaping, where: str, sample: Sample) -> Preview:
    """Return a row as it is learned, cut to the length."""
    ((text, spans),) = learned_spans(shaping.tokenizer, shaping.template, [sample])
    coded = shaping.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    offsets = coded["offset_mapping"]
    kinds = kinds_of(offsets, spans)
    pieces, at = [], 0
    for (_, end), kind in list(zip(offsets, kinds, strict=True))[: shaping.max_length]:
        pieces.append((text[at:end], Kind(kind)))
        at = max(at, end)
    return Preview(where, tuple(pieces))
