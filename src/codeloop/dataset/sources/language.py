"""Which programming language a row is about, by its label, its fences, or its words."""

import re

from codeloop.core.codeblocks import normalise_language

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
    for text in (answer, query):
        for fence in _FENCE.finditer(text):
            if named := _program(fence[1]):
                return named
    if _PYTHON.search(answer):
        return "python"
    words = (word[0].lower().rstrip(".-") for word in _WORD.finditer(query))
    return next((_NAMES[word] for word in words if word in _NAMES), "")


def _program(label: str) -> str:
    name = normalise_language(label)
    return "" if name in _NO_PROGRAM else {"c#": "csharp", "cs": "csharp"}.get(name, name)
