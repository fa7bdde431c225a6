"""Find the fenced code blocks of a Markdown text: the only Markdown parser of the package.

Follows CommonMark 0.31 (section 4.5 fences, 5.1 block quotes, 5.2 list items) where it speaks of
fences, and is kinder than it in four places, because models are sloppy there and the price of
being strict is code that is cut in two:

- a fence line inside an open triple-quoted Python string does not close a Python block;
- a block in a list item goes on over lines that are indented less than the item;
- an unclosed block whose last line ends with the fence ends there;
- a fence after an HTML tag is a fence. What stands in `<think>...</think>` is not looked at.
"""

import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^( {0,3})(`{3,}(?=[^`]*$)|~{3,})[ \t]*(.*?)[ \t]*$")
_QUOTE = re.compile(r"^ {0,3}> ?")
_ITEM = re.compile(r"^( {0,3})([-+*]|(\d{1,9})[.)])( +|$)")
_BREAK = re.compile(r"^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$")
_THINK = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_LANGUAGE = re.compile(r"[A-Za-z0-9_+#-]+")

_ALIASES = {
    "py": "python",
    "python3": "python",
    "py3": "python",
    "ipython": "python",
    "ipython3": "python",
    "jupyter": "python",
    "js": "javascript",
    "node": "javascript",
    "ts": "typescript",
    "sh": "bash",
    "shell": "bash",
    "zsh": "bash",
    "c++": "cpp",
    "cc": "cpp",
    "rs": "rust",
    "golang": "go",
    "rb": "ruby",
    "pl": "perl",
    "sqlite": "sql",
}


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """One fenced block: its info string as written, its text, and whether its fence was closed."""

    info: str
    code: str
    closed: bool = True

    @property
    def language(self) -> str:
        """The normalised language that the info string names; empty if it names none."""
        return normalise_language(self.info)


def normalise_language(info: str) -> str:
    """Return the language that an info string names: `{.Py title=x}` gives `python`."""
    found = _LANGUAGE.match(info.strip().lstrip("{. \t"))
    if found is None:
        return ""
    name = found[0].lower()
    return _ALIASES.get(name, name)


def find_blocks(text: str) -> tuple[CodeBlock, ...]:
    """Return the fenced code blocks of a Markdown text, in order."""
    return tuple(block for _, _, block in _Scanner(_lines(text)).blocks())


def split_text(text: str) -> tuple[str | CodeBlock, ...]:
    """Return a Markdown text as its code blocks, in order, and the prose before, between, after.

    Prose that is nothing but blank lines is left out.
    """
    lines = _lines(text)
    parts: list[str | CodeBlock] = []
    at = 0
    for start, end, block in _Scanner(lines).blocks():
        parts += ["\n".join(lines[at:start]), block]
        at = end
    parts.append("\n".join(lines[at:]))
    return tuple(part for part in parts if isinstance(part, CodeBlock) or part.strip())


def _lines(text: str) -> list[str]:
    text = _THINK.sub("", text)
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


@dataclass(frozen=True, slots=True)
class _Opening:
    indent: int
    fence: str
    info: str

    def is_closed_by(self, line: str) -> bool:
        stripped = line.rstrip(" \t")
        run = stripped.lstrip(" ")
        return (
            len(stripped) - len(run) <= 3  # noqa: PLR2004  CommonMark: at most 3 spaces
            and len(run) >= len(self.fence)
            and run == self.fence[0] * len(run)
        )


class _Scanner:
    """Reads a text line by line, and knows which quotes and list items are open."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0
        self._containers: list[int] = []  # 0 is a quote, n > 0 a list item of content width n
        self._in_paragraph = False

    def blocks(self) -> Iterator[tuple[int, int, CodeBlock]]:
        """Yield each block with its first line and the line after its last."""
        while self._at < len(self._lines):
            start = self._at
            opening = self._opening(self._lines[start])
            self._at += 1
            if opening is not None:
                block = self._block(opening)
                yield start, self._at, block

    def _opening(self, raw: str) -> _Opening | None:
        """Enter and leave containers as the line says; return the fence that it opens, if any."""
        rest, matched = self._continue_containers(_untab(raw))
        depth = len(self._containers)
        self._containers[matched:], unmatched = [], self._containers[matched:]
        if matched < depth and self._in_paragraph and not self._starts_block(rest):
            self._containers.extend(unmatched)  # a lazy line of the paragraph keeps them open
            return None
        rest = self._enter_containers(rest)
        found = _FENCE.match(rest)
        if found is None:
            self._in_paragraph = bool(rest.strip()) and (
                self._in_paragraph or not rest.startswith("    ")
            )
            return None
        self._in_paragraph = False
        return _Opening(len(found[1]), found[2], found[3])

    def _continue_containers(self, line: str) -> tuple[str, int]:
        """Strip what the open containers take of the line; return the rest and how many match."""
        for index, width in enumerate(self._containers):
            if width == 0:
                quote = _QUOTE.match(line)
                if quote is None:
                    return line, index
                line = line[quote.end() :]
            elif not line.strip():
                line = ""
            elif line.startswith(" " * width):
                line = line[width:]
            else:
                return line, index
        return line, len(self._containers)

    def _enter_containers(self, line: str) -> str:
        while True:
            quote = _QUOTE.match(line)
            if quote is not None:
                self._containers.append(0)
                line = line[quote.end() :]
                self._in_paragraph = False
                continue
            width = self._item_width(line)
            if width == 0:
                return line
            self._containers.append(width)
            line = line[width:]
            self._in_paragraph = False

    def _item_width(self, line: str) -> int:
        """Return how many columns a list marker takes at the start of the line; 0 if none does."""
        item = _ITEM.match(line)
        if item is None or _BREAK.match(line):
            return 0
        empty = item.end() == len(line)
        if self._in_paragraph and (empty or item[3] not in {None, "1"}):
            return 0
        marker = len(item[1]) + len(item[2])
        spaces = len(item[4])
        if empty or spaces > 4:  # noqa: PLR2004  CommonMark: more is indented code
            return marker + 1
        return marker + spaces

    def _starts_block(self, rest: str) -> bool:
        return bool(
            not rest.strip()
            or _FENCE.match(rest)
            or _QUOTE.match(rest)
            or self._item_width(rest)
            or _BREAK.match(rest)
        )

    def _block(self, opening: _Opening) -> CodeBlock:
        """Read on to the closing fence, the end of the quote, or the end of the text."""
        python = normalise_language(opening.info) == "python"
        content: list[str] = []
        first_close: tuple[int, int] | None = None  # where to go back to, lines of content then
        while self._at < len(self._lines):
            line = self._content_line(self._lines[self._at], opening)
            if line is None:
                break
            self._at += 1
            if not opening.is_closed_by(line):
                content.append(line[_indent(line, opening.indent) :])
                continue
            code = _join(content)
            if not (python and _in_string(code)):
                return CodeBlock(opening.info, code)
            first_close = first_close or (self._at, len(content))
            content.append(line)
        if first_close is not None:
            self._at, kept = first_close
            return CodeBlock(opening.info, _join(content[:kept]))
        return _unclosed(opening, content)

    def _content_line(self, raw: str, opening: _Opening) -> str | None:
        """Return what stands in the block on this line; None if its quote has ended."""
        line = raw
        for width in self._containers:
            if width == 0:
                quote = _QUOTE.match(line)
                if quote is None:
                    return None
                line = line[quote.end() :]
            else:
                line = line[_indent(line, width) :]
        return line


def _unclosed(opening: _Opening, content: list[str]) -> CodeBlock:
    if content and content[-1].rstrip().endswith(opening.fence):
        content[-1] = content[-1].rstrip().rstrip(opening.fence[0])
        return CodeBlock(opening.info, _join(content))
    while content and not content[-1].strip():
        content.pop()
    return CodeBlock(opening.info, _join(content), closed=False)


def _join(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _indent(line: str, most: int) -> int:
    """Return how many leading spaces the line has, `most` at the most."""
    return min(most, len(line) - len(line.lstrip(" ")))


def _untab(line: str) -> str:
    """Expand the tabs that indent a line, to stops of 4 columns."""
    body = line.lstrip(" \t")
    return line[: len(line) - len(body)].expandtabs(4) + body


def _in_string(code: str) -> bool:
    """Return whether Python code ends inside an open triple-quoted string."""
    try:
        for _ in tokenize.generate_tokens(io.StringIO(code).readline):
            pass
    except tokenize.TokenError as error:
        text = str(error)
        return "multi-line string" in text or "triple-quoted" in text
    except SyntaxError:
        return False
    return False
