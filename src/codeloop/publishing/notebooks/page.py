"""A dialogue as one HTML file: it has no script, asks no server, and runs nothing of an output."""

import base64
import json
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from markdown_it import MarkdownIt

from codeloop.core.dialogue import Cell, Dialogue, Role
from codeloop.core.execution import Display, ExecutionResult, Status
from codeloop.publishing.notebooks.markdown import data_uri
from codeloop.publishing.notebooks.parts import Part, Ran, Said, Voice, how_it_ended, parts

_TABLE = "application/vnd.dataresource+json"
_PICTURES = ("image/svg+xml", "image/png", "image/jpeg")
_TITLE_CHARS = 80
_HEADINGS = {
    Voice.SYSTEM: "System",
    Voice.USER: "Request",
    Voice.PERSON: "Person",
    Voice.JUDGE: "Judge",
    Voice.CRITIC: "Critic",
}


def write_page(dialogue: Dialogue, *, title: str = "") -> bytes:
    """Return the page of a dialogue; its title is the first line of the request if none is given.

    Pictures are part of the file, SVG as pictures too, where no script in them runs. HTML that
    code has shown is left out: a table is made anew from its values, all else is its plain text.
    """
    markdown = _markdown()
    body: list[str] = []
    turn: int | None = None
    for part in parts(dialogue):
        model = isinstance(part, Ran) or part.voice is Voice.MODEL
        if model and part.turn is not None and part.turn != turn:
            turn = part.turn
            body.append(f"<h2>Reply {turn + 1}</h2>")
        body.append(_part(part, markdown))
    template = files("codeloop.publishing.notebooks").joinpath("page.html")
    page = Template(template.read_text(encoding="utf-8"))
    whole = page.substitute(title=escape(title or _title(dialogue)), body="\n".join(body))
    return whole.encode(errors="replace")


def _markdown() -> MarkdownIt:
    """Return a renderer for which HTML is text, and which shows no picture of elsewhere."""
    return MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def _title(dialogue: Dialogue) -> str:
    asked = [each.content for each in dialogue.opening if each.role is Role.USER]
    lines = [line for text in asked for line in text.splitlines() if line.strip()]
    return lines[0].strip()[:_TITLE_CHARS] if lines else "Dialogue"


def _part(part: Part, markdown: MarkdownIt) -> str:
    match part:
        case Said(Voice.MODEL, text):
            return f"<section>{markdown.render(text)}</section>"
        case Said(voice, text):
            return f"<h2>{_HEADINGS[voice]}</h2>\n<section>{markdown.render(text)}</section>"
        case Ran(cell):
            return _cell(cell)


def _cell(cell: Cell) -> str:
    code = f'<pre class="code">{escape(cell.code)}</pre>'
    if cell.result is None:
        why = f"not run: {cell.skipped.value.replace('_', ' ')}" if cell.skipped else "not run"
        return f'<div>{code}<p class="ended">{why}</p></div>'
    mark = "" if cell.result.status is Status.OK else ' class="failed"'
    shown = "\n".join(_result(cell.result))
    return f"<div{mark}>{code}\n{shown}</div>"


def _result(result: ExecutionResult) -> list[str]:
    blocks = [_output(result.stdout.text)]
    blocks += [_display(display) for display in result.displays]
    blocks.append(_output(result.stderr.text))
    if ended := how_it_ended(result):
        blocks.append(f'<p class="ended">{escape(ended)}</p>')
    return [block for block in blocks if block]


def _output(text: str) -> str:
    return f'<pre class="output">{escape(text)}</pre>' if text.strip() else ""


def _display(display: Display) -> str:
    forms = dict(display.parts)
    for mime in _PICTURES:
        if mime in forms:
            held = forms[mime]
            if mime == "image/svg+xml":
                held = base64.b64encode(held.encode(errors="replace")).decode()
            source = escape(data_uri(mime, held))
            return f'<img src="{source}" alt="{escape(display.text() or "picture")}">'
    table = _table(forms.get(_TABLE))
    return table or _output(display.text())


def _table(text: str | None) -> str:
    """Return a table made of the values of a tabular resource; empty if it is none."""
    try:
        resource = json.loads(text or "")
        names = [str(each["name"]) for each in resource["schema"]["fields"]]
        rows = [
            [_value(row, name, at) for at, name in enumerate(names)] for row in resource["data"]
        ]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "\n".join(
        f"<tr>{''.join(f'<td>{escape(value)}</td>' for value in row)}</tr>" for row in rows
    )
    return f'<div class="wide"><table><tr>{head}</tr>\n{body}</table></div>'


def _value(row: Any, name: str, at: int) -> str:
    value = row[at] if isinstance(row, list) else row.get(name)
    return "" if value is None else str(value)
