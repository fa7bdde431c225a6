"""Text of guests and models made safe: to show, of escape sequences; to give away, of secrets."""

import re
from types import MappingProxyType
from typing import Any

_KEPT = re.compile(r"\x1b\[[0-9;]{0,40}m")  # SGR: colours and weight
_DROPPED = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: cursor, screen, modes
    r"|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?"  # OSC and other strings: title, links
    r"|\x1b[ -/]*[0-Z\\-~]?"  # short sequences, and a lone escape
    r"|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]"  # control characters, C1 among them
    r"|[\u202a-\u202e\u2066-\u2069]"  # what turns the direction of text around
)

# Shapes of what others should not see: keys of services, private keys, passwords, mail addresses.
SECRETS = MappingProxyType(
    {
        "key": re.compile(
            r"\b(?:sk-[A-Za-z0-9_-]{16,}|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30,}"
            r"|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[0-9A-Za-z_-]{35}|hf_[A-Za-z0-9]{30,})"
        ),
        "private_key": re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[^-]*-----END [A-Z ]*PRIVATE KEY-----)?"
        ),
        "password": re.compile(
            r"(?i)\b(?:password|passwd|secret|api_key)\b\s*[=:]\s*['\"][^'\"]{6,}['\"]"
        ),
        "mail": re.compile(r"\b[\w.+-]+@[\w-]+\.[a-z]{2,}\b"),
    }
)


def redacted(facts: Any) -> Any:
    """Return JSON values, or a text, in which what looks like a secret is replaced by its kind."""
    match facts:
        case str():
            for name, shape in SECRETS.items():
                facts = shape.sub(f"[{name} removed]", facts)
            return facts
        case dict():
            return {name: redacted(value) for name, value in facts.items()}
        case list():
            return [redacted(each) for each in facts]
        case _:
            return facts


def clean(text: str) -> str:
    """Return a text without control sequences; colours, tabs and ends of lines stay."""
    if text.isprintable():
        return text
    pieces, at = [], 0
    for kept in _KEPT.finditer(text):
        pieces += [_DROPPED.sub("", text[at : kept.start()]), kept.group()]
        at = kept.end()
    return "".join([*pieces, _DROPPED.sub("", text[at:])])
