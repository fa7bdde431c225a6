"""Text of guests and models made safe to show: of escape sequences, only colours are left."""

import re

_KEPT = re.compile(r"\x1b\[[0-9;]{0,40}m")  # SGR: colours and weight
_DROPPED = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: cursor, screen, modes
    r"|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?"  # OSC and other strings: title, links
    r"|\x1b[ -/]*[0-Z\\-~]?"  # short sequences, and a lone escape
    r"|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]"  # control characters, C1 among them
    r"|[\u202a-\u202e\u2066-\u2069]"  # what turns the direction of text around
)


def clean(text: str) -> str:
    """Return a text without control sequences; colours, tabs and ends of lines stay."""
    if text.isprintable():
        return text
    pieces, at = [], 0
    for kept in _KEPT.finditer(text):
        pieces += [_DROPPED.sub("", text[at : kept.start()]), kept.group()]
        at = kept.end()
    return "".join([*pieces, _DROPPED.sub("", text[at:])])
