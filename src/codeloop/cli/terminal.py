"""Make text of models and of guests safe to print: no escape sequence reaches the terminal."""

import re

_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor, screen
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC: title, clipboard, links
    r"|\x1b[PX^_][^\x1b]*\x1b\\"  # DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-OQ-WYZ\\`-~]"  # two and three character sequences
    r"|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]"  # other control characters, C1 among them
)
_UNFINISHED = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?|[PX^_][^\x1b]*\x1b?|[ -/]*)?\Z"
)
_LONGEST_SEQUENCE = 4096


class Cleaner:
    """Strips control sequences from a stream of text, also where a chunk ends inside one."""

    def __init__(self) -> None:
        self._held = ""

    def clean(self, chunk: str) -> str:
        """Return what of the text so far can be printed."""
        text = (self._held + chunk).replace("\r\n", "\n")
        unfinished = _UNFINISHED.search(text)
        cut = unfinished.start() if unfinished else len(text)
        if len(text) - cut > _LONGEST_SEQUENCE:
            cut = len(text)
        if cut == len(text) and text.endswith("\r"):
            cut -= 1  # perhaps the first half of a line's end
        text, self._held = text[:cut], text[cut:]
        return clean(text)


def clean(text: str) -> str:
    """Return a whole text without control sequences; tabs and ends of lines stay."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _SEQUENCE.sub("", text).replace("\x1b", "")
