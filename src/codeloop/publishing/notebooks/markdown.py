"""A dialogue as a Markdown text: what was said, the code, what it gave, pictures as data URIs."""

from collections.abc import Callable

from codeloop.core.dialogue import Dialogue
from codeloop.core.execution import Display, ExecutionResult
from codeloop.publishing.notebooks.parts import (
    Part,
    Ran,
    Said,
    Voice,
    fenced,
    how_it_ended,
    parts,
)

_PICTURES = ("image/png", "image/jpeg")
_HEADINGS = {
    Voice.SYSTEM: "System",
    Voice.USER: "Request",
    Voice.PERSON: "Person",
    Voice.JUDGE: "Judge",
    Voice.CRITIC: "Critic",
}

Picture = Callable[[str, str], str]  # MIME type and base64 to an address


def data_uri(mime: str, data: str) -> str:
    """Return an address that holds a picture, given in base64, itself."""
    return f"data:{mime};base64,{''.join(data.split())}"


def write_markdown(dialogue: Dialogue) -> bytes:
    """Return a dialogue as Markdown: a heading for who speaks, outputs in fences below the code."""
    lines: list[str] = []
    turn: int | None = None
    for part in parts(dialogue):
        model = isinstance(part, Ran) or part.voice is Voice.MODEL
        if model and part.turn is not None and part.turn != turn:
            turn = part.turn
            lines.append(f"## Reply {turn + 1}")
        lines.append(_part(part))
    return ("\n\n".join(lines) + "\n").encode(errors="replace")


def result_markdown(
    result: ExecutionResult, *, of: int | None = None, picture: Picture = data_uri
) -> str:
    """Return what a run gave: its outputs in fences labelled `output`, then how it ended.

    The label also holds the status, and with `of` the number of the block that ran, so that the
    server can read back what it has sent.
    """
    info = f"output {result.status.value}{'' if of is None else f' of {of}'}"
    shown = [_display(display, picture) for display in result.displays]
    texts = [result.stdout.text, *(text for text, is_picture in shown if not is_picture)]
    said = "\n".join(text.rstrip("\n") for text in [*texts, result.stderr.text] if text.strip())
    blocks = [fenced(said, info)]
    blocks += [text for text, is_picture in shown if is_picture]
    ended = how_it_ended(result)
    return "\n\n".join([*blocks, f"*{ended}*"] if ended and result.error is None else blocks)


def _part(part: Part) -> str:
    match part:
        case Said(Voice.MODEL, text):
            return text
        case Said(voice, text):
            return f"## {_HEADINGS[voice]}\n\n{text}"
        case Ran(cell):
            code = fenced(cell.code, cell.language)
            return f"{code}\n\n{result_markdown(cell.result)}" if cell.result else code


def _display(display: Display, picture: Picture) -> tuple[str, bool]:
    """Return a display as Markdown, and whether it is a picture."""
    forms = dict(display.parts)
    for mime in _PICTURES:
        if mime in forms:
            return f"![picture]({picture(mime, forms[mime])})", True
    return display.text(), False
