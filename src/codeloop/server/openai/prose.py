"""The prose of a reply as it is streamed: code that becomes a call of its own is held back."""

import re
from collections.abc import Set as AbstractSet

from codeloop.core.codeblocks import normalise_language

_PIECES = re.compile(r"[^\n]*\n|[^\n]+")
_OPENS = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([^`\n]*)\n?")


class Prose:
    """Takes a reply piece by piece, and gives what of it is no fenced code of the languages."""

    def __init__(self, languages: AbstractSet[str]) -> None:
        self._languages = languages
        self._line = ""  # what came of the last line, if it may be a fence
        self._starts = True  # the next character begins a line
        self._fence: str | None = None  # that closes the block that is held back

    def feed(self, text: str) -> str:
        """Return what can be shown after another piece."""
        return "".join(self._take(piece) for piece in _PIECES.findall(text))

    def end(self) -> str:
        """Return what is left at the end of the reply."""
        left, self._line, self._starts = self._line, "", True
        held = self._fence is not None or self._opened(left) is not None
        self._fence = None
        return "" if held else left

    def _take(self, piece: str) -> str:
        if not self._line and not self._starts:
            self._starts = piece.endswith("\n")
            return "" if self._fence is not None else piece
        self._line += piece
        ended = self._line.endswith("\n")
        if not ended and self._may_fence(self._line):
            return ""
        line, self._line, self._starts = self._line, "", ended
        if self._fence is not None:
            if line.strip().startswith(self._fence) and not line.strip().strip(self._fence[0]):
                self._fence = None
            return ""
        self._fence = self._opened(line)
        return "" if self._fence is not None else line

    def _may_fence(self, line: str) -> bool:
        start = line.lstrip(" ")
        return not start or start[0] in "`~"

    def _opened(self, line: str) -> str | None:
        found = _OPENS.fullmatch(line)
        if found is None or normalise_language(found[2]) not in self._languages:
            return None
        return found[1]
