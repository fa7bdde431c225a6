"""A chat template rewritten so that it says which of its text a model is to learn.

The text stays the same to the character. Each output that has a reply's content is split at its
top-level `+`, and the operands that a model writes itself are put into `{% generation %}`, unless
the message says `train: false`.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

_TAG = re.compile(r"\{\{|\{%|\{#")
_CLOSED_BY = {"{{": "}}", "{%": "%}", "{#": "#}"}
_FOR = re.compile(r"for\s+(\w+)\s+in\b")
_OPEN, _CLOSE = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class _Tag:
    """A tag of a template: where it lies, and what stands in it without its signs."""

    start: int
    end: int
    kind: str  # {{ {% {#
    left: str  # sign for white space before: "-", "+" or ""
    body: str
    right: str


def rewritings(template: str, stop: str) -> Iterator[str]:
    """Yield templates that may be the trainable one, the most likely first; try them.

    They differ in where a reply starts: at its content, or at an operand before it.
    """
    outputs = list(_outputs(template))
    most = max((len(_operands(tag.body)) for tag, _, _ in outputs), default=0)
    for before in range(most):
        yield _rewritten(template, outputs, stop, before)


def _outputs(template: str) -> Iterator[tuple[_Tag, str, int]]:
    """Yield the outputs with a message's content: tag, name of the message, operand with it."""
    names: list[str] = []
    for tag in _tags(template):
        if tag.kind == "{%":
            if loop := _FOR.match(tag.body):
                names.append(loop[1])
            elif tag.body.startswith("endfor") and names:
                names.pop()
        elif tag.kind == "{{" and names:
            at = _content_at(_operands(tag.body), names[-1])
            if at is not None:
                yield tag, names[-1], at


def _content_at(operands: list[str], name: str) -> int | None:
    said = re.compile(rf"\b{name}\.content\b|\b{name}\[(['\"])content\1\]|^content\b")
    return next((at for at, each in enumerate(operands) if said.search(each)), None)


def _rewritten(template: str, outputs: list[tuple[_Tag, str, int]], stop: str, before: int) -> str:
    parts, done = [], 0
    for tag, name, at in outputs:
        operands = _split_after(_operands(tag.body), at, stop)
        start = max(0, at - before)
        end = _end(operands, at, stop)
        parts += [template[done : tag.start], _marked(tag, name, operands, start, end)]
        done = tag.end
    return "".join([*parts, template[done:]])


def _marked(tag: _Tag, name: str, operands: list[str], start: int, end: int) -> str:
    """Return an output with marks where it is a reply to learn, and as it was where not.

    The signs keep the template engine from eating the white space that it did not eat before.
    """
    left, right = tag.left or "+", tag.right or "+"
    head, learned, rest = operands[:start], operands[start:end], operands[end:]
    return "".join(
        [
            f"{{%{left} if {name}['role'] == 'assistant' and {name}['train'] != false %}}",
            _output(head),
            "{% generation %}",
            _output(learned),
            "{% endgeneration %}",
            _output(rest),
            "{% else %}",
            f"{{{{ {tag.body} }}}}",
            f"{{% endif {right}%}}",
        ]
    )


def _output(operands: list[str]) -> str:
    return "{{ " + " + ".join(operands) + " }}" if operands else ""


def _split_after(operands: list[str], at: int, stop: str) -> list[str]:
    """Return operands with the text after the stop token in an operand of its own."""
    found = []
    for number, each in enumerate(operands):
        text = _literal(each)
        if number > at and text is not None and stop in text:
            cut = text.index(stop) + len(stop)
            found += [_quoted(part) for part in (text[:cut], text[cut:]) if part]
        else:
            found.append(each)
    return found


def _end(operands: list[str], at: int, stop: str) -> int:
    """Return the operand after the one that ends in the stop token; all, if there is none."""
    for number in range(at + 1, len(operands)):
        text = _literal(operands[number])
        if operands[number].strip() == "eos_token" or (text is not None and stop in text):
            return number + 1
    return len(operands)


def _literal(operand: str) -> str | None:
    if operand[:1] not in {"'", '"'}:
        return None
    try:
        value = ast.literal_eval(operand)
    except (SyntaxError, ValueError):
        return None
    return value if isinstance(value, str) else None


def _quoted(text: str) -> str:
    """Return a text as the template language writes it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def _tags(template: str) -> Iterator[_Tag]:
    at = 0
    while found := _TAG.search(template, at):
        kind = found[0]
        close = _closing(template, found.end(), kind)
        if close is None:
            return
        inner = template[found.end() : close]
        left = inner[0] if inner[:1] in {"-", "+"} else ""
        right = inner[-1] if len(inner) > 1 and inner[-1] in "-+" else ""
        body = inner[len(left) : len(inner) - len(right)].strip()
        at = close + 2
        yield _Tag(found.start(), at, kind, left, body, right)


def _closing(template: str, at: int, kind: str) -> int | None:
    """Return where a tag is closed; what stands in quotes does not close it."""
    end = _CLOSED_BY[kind]
    if kind == "{#":
        found = template.find(end, at)
        return None if found < 0 else found
    depth = 0
    for place, char in _unquoted(template, at):
        if depth <= 0 and template.startswith(end, place):
            return place
        depth += (char in _OPEN) - (char in _CLOSE)
    return None


def _operands(body: str) -> list[str]:
    """Return the operands of an expression's top-level `+`."""
    found, start, depth = [], 0, 0
    for place, char in _unquoted(body, 0):
        depth += (char in _OPEN) - (char in _CLOSE)
        if char == "+" and depth == 0:
            found.append(body[start:place].strip())
            start = place + 1
    return [*found, body[start:].strip()]


def _unquoted(text: str, at: int) -> Iterator[tuple[int, str]]:
    """Yield the characters of a text, with their places, that do not stand in quotes."""
    quote = ""
    while at < len(text):
        char = text[at]
        if quote:
            at += 2 if char == "\\" else 1
            quote = "" if char == quote else quote
            continue
        if char in {"'", '"'}:
            quote = char
        else:
            yield at, char
        at += 1
