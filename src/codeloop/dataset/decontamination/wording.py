"""Levels that read: a problem's words or its solution in a row, whole or by runs of 13 tokens."""

import ast
import hashlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from codeloop.core.problem import Problem
from codeloop.dataset.decontamination.passages import Passage, parsed

_LEAST_NODES = 24  # of a function; shorter ones are written alike by chance


class _Renamed(ast.NodeTransformer):
    """Gives what a function binds the names v0, v1, ... in the order in which they come up."""

    def __init__(self, bound: set[str]) -> None:
        self._bound = bound
        self._names: dict[str, str] = {}

    def _name(self, name: str) -> str:
        if name not in self._bound:
            return name
        return self._names.setdefault(name, f"v{len(self._names)}")

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self._name(node.id), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(self._name(node.arg))  # without its annotation

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self._name(node.name)
        node.returns = None
        self.generic_visit(node)
        node.body = without_docstring(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        return ast.Assign([node.target], node.value) if node.value else ast.Pass()


def fingerprints(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the name and the fingerprint of each function that is long enough to be told by it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and _size(node) >= _LEAST_NODES:
            name = node.name
            yield name, _fingerprint(node)


def without_docstring(node: ast.FunctionDef) -> list[ast.stmt]:
    """Return the body of a function without its docstring."""
    return (node.body[1:] if ast.get_docstring(node) is not None else node.body) or [ast.Pass()]


def _size(node: ast.FunctionDef) -> int:
    return sum(1 for part in without_docstring(node) for _ in ast.walk(part))


def _fingerprint(node: ast.FunctionDef) -> str:
    copied = ast.parse(ast.unparse(node)).body[0]
    bound = {each.name for each in ast.walk(copied) if isinstance(each, ast.FunctionDef)}
    bound |= {each.arg for each in ast.walk(copied) if isinstance(each, ast.arg)}
    bound |= {
        each.id
        for each in ast.walk(copied)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    }
    plain = ast.unparse(ast.fix_missing_locations(_Renamed(bound).visit(copied)))
    return hashlib.blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


RUN = 13  # tokens; T. Brown et al., "Language Models are Few-Shot Learners", 2020, appendix C
_SHARE = 0.5  # of a problem's runs that have to be in a row
_COMMON = 3  # problems in which a run may be before it says nothing
_LEAST_PROSE = 7  # words of a problem that are no accident
_LEAST_CODE = 20  # tokens of a solution, likewise: `return x + y` has 4
_ANCHOR = 6  # tokens by which a place is found where a whole text may begin

_TOKEN = re.compile(r"\w+|[^\w\s]")
_EXAMPLES = re.compile(
    r">>>|^\s*assert\b|^\s*(?:for )?examples?\b.{0,20}$", re.IGNORECASE | re.MULTILINE
)

Tokens = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Texts:
    """What a problem is told by: its words without the examples, and its solution's body."""

    prose: Tokens
    body: Tokens


def tokens(text: str) -> list[str]:
    """Return the words and signs of a text in lower case."""
    return _TOKEN.findall(text.lower())


def texts_of(problem: Problem) -> Texts:
    """Return what a problem is told by."""
    name = problem.entry_point.rpartition(".")[2]
    prose, body = problem.prompt, problem.reference
    tree = parsed(problem.reference) or ast.Module([], [])
    prompted = parsed(problem.prompt) or parsed(f"{problem.prompt}\n    pass\n")
    if prompted is not None:
        documented = [each for each in ast.walk(prompted) if _is_named(each, name)]
        prose = next(
            (found for each in [*documented, prompted] if (found := _docstring(each))), prose
        )
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            body = "\n".join(map(ast.unparse, without_docstring(node)))
    before = _EXAMPLES.split(prose, maxsplit=1)[0]
    return Texts(tuple(tokens(before)), tuple(tokens(body)))


def _is_named(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == name


def _docstring(node: ast.AST) -> str:
    found = ast.get_docstring(node) if isinstance(node, ast.FunctionDef | ast.Module) else None
    return found or ""


def row_tokens(passage: Passage) -> list[str]:
    """Return the tokens of a row, and those of its code as Python itself would lay it out."""
    found = tokens(passage.text)
    for code in passage.codes:
        tree = parsed(code)
        if tree is not None:
            found += ["\n", *tokens(ast.unparse(tree))]
    return found


class Wholes:
    """Finds problems whose words or whose solution are in a row from end to end."""

    def __init__(self, problems: Iterable[tuple[str, Texts]]) -> None:
        self._by_anchor: dict[Tokens, list[tuple[Tokens, str, str]]] = defaultdict(list)
        for name, texts in problems:
            for what, whole, least in (
                ("its words", texts.prose, _LEAST_PROSE),
                ("its solution", texts.body, _LEAST_CODE),
            ):
                if len(whole) >= least:
                    self._by_anchor[whole[:_ANCHOR]].append((whole, name, what))

    def find(self, row: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield the problem and what of it is there."""
        for at, anchor in enumerate(zip(*(row[skip:] for skip in range(_ANCHOR)), strict=False)):
            for whole, name, what in self._by_anchor.get(anchor, ()):
                if tuple(row[at : at + len(whole)]) == whole:
                    yield name, what


class Runs:
    """Finds problems of which many runs of 13 tokens are in a row."""

    def __init__(self, problems: Iterable[tuple[str, Texts]]) -> None:
        owners: dict[int, set[tuple[str, str]]] = defaultdict(set)
        for name, texts in problems:
            for what, whole in (("words", texts.prose), ("solution", texts.body)):
                for run in _runs(whole):
                    owners[run].add((name, what))
        telling = {
            run: whose
            for run, whose in owners.items()
            if len({name for name, _ in whose}) < _COMMON
        }
        self._owners = telling
        self._counts = Counter(each for whose in telling.values() for each in whose)

    def find(self, row: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield the problem and how much of it is there."""
        hits = self._owners.keys() & _runs(row)
        shared = Counter(each for run in hits for each in self._owners[run])
        for (name, what), count in sorted(shared.items()):
            share = count / self._counts[name, what]
            if share >= _SHARE:
                yield name, f"{share:.0%} of its {what}"


def _runs(whole: Sequence[str]) -> set[int]:
    return set(map(hash, zip(*(whole[skip:] for skip in range(RUN)), strict=False)))


class Structures:
    """Finds problems whose solution is in a row but for names, layout and docstrings."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self._names: dict[str, str] = {}
        for each in problems:
            tree = parsed(each.reference)
            if tree is not None:
                for _, key in fingerprints(tree):
                    self._names.setdefault(key, each.id)

    def find(self, passage: Passage) -> Iterator[tuple[str, str]]:
        """Yield the problem and the function that is its solution."""
        for code in passage.codes:
            tree = parsed(code)
            for name, key in fingerprints(tree) if tree is not None else ():
                if key in self._names:
                    yield self._names[key], f"{name} is its solution by other names"


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
