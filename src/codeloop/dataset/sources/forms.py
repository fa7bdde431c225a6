"""The forms in which data sets of queries and dialogues are published, and how a row is read."""

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from codeloop.core.codeblocks import normalise_language
from codeloop.core.errors import ConfigError
from codeloop.core.records import from_json
from codeloop.dataset.records import Example, Query, Way
from codeloop.dataset.sources.fields import UnfitError, dialogue, first_pair, items, needed, text
from codeloop.dataset.sources.files import Row

# no program: what a fence may be labelled with besides
_NO_PROGRAM = frozenset({"", "text", "plaintext", "txt", "output", "console", "markdown", "md"})
_FENCE = re.compile(
    r"^[ \t>*+.0-9-]{0,8}(?:`{3,}|~{3,})[ \t]*([{.]*[A-Za-z0-9_+#-]+)", re.MULTILINE
)
_NAMES = {
    "python": "python",
    "pandas": "python",
    "numpy": "python",
    "django": "python",
    "javascript": "javascript",
    "js": "javascript",
    "node.js": "javascript",
    "react": "javascript",
    "typescript": "typescript",
    "java": "java",
    "c++": "cpp",
    "c#": "csharp",
    "golang": "go",
    "rust": "rust",
    "ruby": "ruby",
    "php": "php",
    "perl": "perl",
    "swift": "swift",
    "kotlin": "kotlin",
    "scala": "scala",
    "haskell": "haskell",
    "lua": "lua",
    "julia": "julia",
    "matlab": "matlab",
    "bash": "bash",
    "shell": "bash",
    "sql": "sql",
    "mysql": "sql",
    "postgresql": "sql",
    "t-sql": "sql",
    "html": "html",
    "css": "css",
}
_WORD = re.compile(r"[A-Za-z][\w.+#-]*")
_PYTHON = re.compile(
    r"^[ \t]*(?:def \w+\([^\n]*:[ \t]*$|class \w+[^\n{]*:[ \t]*$|from [\w.]+ import \w"
    r"|import \w+(?:\.\w+)*(?: as \w+)?[ \t]*$)",
    re.MULTILINE,
)


def language_of(query: str, answer: str = "", *, label: str = "") -> str:
    """Return the normalised language, "" if nothing tells; the time is linear in the texts.

    A label counts most, then the first fence of the answer and of the query that names a
    language, then lines that only Python has, then the first name of a language in the query.
    """
    if named := _program(label):
        return named
    for each in (answer, query):
        for fence in _FENCE.finditer(each):
            if named := _program(fence[1]):
                return named
    if _PYTHON.search(answer):
        return "python"
    words = (word[0].lower().rstrip(".-") for word in _WORD.finditer(query))
    return next((_NAMES[word] for word in words if word in _NAMES), "")


def _program(label: str) -> str:
    name = normalise_language(label)
    return "" if name in _NO_PROGRAM else {"c#": "csharp", "cs": "csharp"}.get(name, name)


class Form(StrEnum):
    """How the rows of a source are laid out."""

    OWN = "own"  # our queries, as `ingest` writes them
    CODE_FEEDBACK = "code-feedback"  # id, messages: dialogues
    SHAREGPT = "sharegpt"  # the first request and its reply
    SHAREGPT_DIALOGUES = "sharegpt-dialogues"  # the same, whole
    FILTERED = "filtered"  # CodeFeedback-Filtered-Instruction: query, answer, resource, lang
    OSS_INSTRUCT = "oss-instruct"  # problem, solution, lang
    ALPACA = "alpaca"  # CodeAlpaca: instruction, input, output
    EVOL_INSTRUCT = "evol-instruct"  # instruction, response; also instruction, output
    TACO = "taco"  # question, solutions, input_output
    LEETCODE_DATASET = "leetcode-dataset"  # task_id, completion, entry_point, test
    LEETCODE_SOLUTIONS = "leetcode-solutions"  # slug, statement, solutions in several languages
    LEETCODE_CONTEST = "leetcode-contest"  # task_id, prompt_sft, test
    PLAIN = "plain"  # a query under one of the usual names, or under the one that is given


EXERCISES = frozenset(
    {Form.TACO, Form.LEETCODE_DATASET, Form.LEETCODE_SOLUTIONS, Form.LEETCODE_CONTEST}
)

_INSTRUCTION = "instruction"
_QUERIES = ("query", "question", "problem", "instruction", "prompt", "intent", "title", "text")
_ANSWERS = ("answer", "response", "output", "solution", "completion", "code")
_LABELS = ("language", "lang", "programming_language")


@dataclass(frozen=True, slots=True)
class Origin:
    """What is said of every row of a source, and the names of its fields where they are unusual.

    A row's own licence and language, where it has them, come first.
    """

    name: str = ""
    licence: str = ""
    language: str = ""
    query: tuple[str, ...] = _QUERIES
    answer: tuple[str, ...] = _ANSWERS


def form_of(rows: Iterable[Row]) -> Form:
    """Return the form that most of some rows have.

    Raises:
        ConfigError: most have none that is known; the text says what fields there are.
    """
    seen = list(rows)
    votes = Counter(map(_form_of, seen))
    form = max(votes, key=votes.__getitem__) if votes else None
    if form is not None:
        return form
    shown = ", ".join(sorted({name for row in seen for name in row})[:12]) or "none"
    msg = f"its form is not known (fields: {shown}); name one of {', '.join(Form)}"
    raise ConfigError(msg)


def _form_of(row: Row) -> Form | None:
    for name, entry in _table().items():
        if row.keys() >= set(entry["has"]):
            return Form(name)
    if _INSTRUCTION in row and row.keys() & {"response", "output"}:
        return Form.EVOL_INSTRUCT
    return Form.PLAIN if row.keys() & set(_QUERIES) else None


def _messages(form: Form, row: Row) -> list[Any]:
    return items(row, _table()[form]["messages"])


@cache
def _table() -> dict[str, Any]:
    path = files("codeloop.dataset.sources").joinpath("forms.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def read_row(form: Form, row: Row, origin: Origin) -> Query | Example:
    """Return the query or the example that a row holds; exercises are read elsewhere.

    Raises:
        UnfitError: it holds none; the text says why.
    """
    if form is Form.OWN:
        return _own(row)
    if form in {Form.CODE_FEEDBACK, Form.SHAREGPT_DIALOGUES}:
        return _example(row, _messages(form, row), origin)
    return _query(row, *_PAIRS[form](row, origin), origin)


def _alpaca(row: Row, _: Origin) -> tuple[str, str]:
    asked, given = needed(row, _INSTRUCTION), text(row, "input")
    return f"{asked}\n\n{given}" if given else asked, text(row, "output")


def _answer(row: Row, origin: Origin) -> str:
    """Return the answer of a row; of several the first."""
    for name in origin.answer:
        value = row.get(name)
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list) and value and isinstance(value[0], str):
            return value[0]
        if isinstance(value, str) and value.strip() and name not in origin.query[:1]:
            return value
    return ""


_PAIRS: Mapping[Form, Callable[[Row, Origin], tuple[str, str]]] = MappingProxyType(
    {
        Form.SHAREGPT: lambda row, _: first_pair(_messages(Form.SHAREGPT, row)),
        Form.FILTERED: lambda row, _: (needed(row, "query"), text(row, "answer")),
        Form.OSS_INSTRUCT: lambda row, _: (needed(row, "problem"), needed(row, "solution")),
        Form.ALPACA: _alpaca,
        Form.EVOL_INSTRUCT: lambda row, _: (
            needed(row, _INSTRUCTION),
            needed(row, "response", "output"),
        ),
        Form.PLAIN: lambda row, origin: (needed(row, *origin.query), _answer(row, origin)),
    }
)


def _query(row: Row, query: str, answer: str, origin: Origin) -> Query:
    label = text(row, *_LABELS) or origin.language
    resource = text(row, "resource")
    return Query(
        query.strip(),
        answer.strip("\n"),
        source=origin.name,
        licence=text(row, "licence", "license") or origin.licence,
        language=language_of(query, answer, label=label),
        meta=(("resource", resource),) if resource else (),
    )


def _example(row: Row, messages: list[Any], origin: Origin) -> Example:
    named = row.get("id")
    held = dialogue(messages, name=f"{origin.name}/{named}" if named is not None else "")
    asked, first = held.opening[-1].content, held.turns[0].reply
    label = text(row, *_LABELS) or origin.language
    query = Query(asked, first)
    return Example(
        held,
        Way.PUBLISHED,
        (query.id,),
        origin.name,
        text(row, "licence", "license") or origin.licence,
        language_of(asked, first, label=label),
        models=(),
    )


def _own(row: Row) -> Query:
    fields = {key: value for key, value in row.items() if key not in {"schema", "id"}}
    try:
        return from_json(Query, fields)
    except ValueError as error:
        raise UnfitError(str(error)) from error
