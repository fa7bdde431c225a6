"""The forms in which one dialogue is given away and taken in, by the names they go by."""

import io
import json
import zipfile
from collections.abc import Mapping
from enum import StrEnum

from codeloop.core import records
from codeloop.core.dialogue import Dialogue, plain_messages
from codeloop.core.errors import DataError
from codeloop.dataset.sources.fields import UnfitError
from codeloop.dataset.sources.fields import dialogue as of_messages
from codeloop.loop.prompts import render
from codeloop.publishing.notebooks.ipynb import write_ipynb
from codeloop.publishing.notebooks.markdown import write_markdown
from codeloop.publishing.notebooks.page import write_page
from codeloop.publishing.notebooks.reading import read_ipynb
from codeloop.publishing.notebooks.script import write_script

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the first that the format knows: the same bytes every time


class NotebookForm(StrEnum):
    """How one dialogue is written; but for `code-feedback` the value is the ending of its file."""

    IPYNB = "ipynb"
    SCRIPT = "py"
    MARKDOWN = "md"
    PAGE = "html"
    ARCHIVE = "zip"  # all of these, the dialogue's own record, and the files of its session
    RECORD = "jsonl"  # a line as `core.records` has it
    CODE_FEEDBACK = "code-feedback"  # a line with `id` and `messages` of user and assistant

    @property
    def media_type(self) -> str:
        """The MIME type of what is written."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    NotebookForm.IPYNB: "application/x-ipynb+json",
    NotebookForm.SCRIPT: "text/x-python; charset=utf-8",
    NotebookForm.MARKDOWN: "text/markdown; charset=utf-8",
    NotebookForm.PAGE: "text/html; charset=utf-8",
    NotebookForm.ARCHIVE: "application/zip",
    NotebookForm.RECORD: "application/jsonl",
    NotebookForm.CODE_FEEDBACK: "application/jsonl",
}


def exported(  # noqa: PLR0911  one for each form
    dialogue: Dialogue,
    form: NotebookForm,
    *,
    title: str = "",
    files: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return a dialogue in a form; `files` (path, content) of its session go into an archive."""
    match form:
        case NotebookForm.IPYNB:
            return write_ipynb(dialogue)
        case NotebookForm.SCRIPT:
            return write_script(dialogue)
        case NotebookForm.MARKDOWN:
            return write_markdown(dialogue)
        case NotebookForm.PAGE:
            return write_page(dialogue, title=title)
        case NotebookForm.RECORD:
            return f"{records.encode(dialogue)}\n".encode()
        case NotebookForm.CODE_FEEDBACK:
            messages = plain_messages(render(dialogue))
            line = records.as_line({"id": dialogue.id, "messages": messages})
            return f"{line}\n".encode()
        case NotebookForm.ARCHIVE:
            return _archive(dialogue, title, files or {})


def imported(data: bytes, *, name: str) -> tuple[Dialogue, ...]:
    """Return the dialogues of a notebook, or of lines: records of ours, or Code-Feedback.

    Raises:
        DataError: it is none of these; the text names the file, and the line if there are lines.
    """
    if _is_notebook(data):
        try:
            return (read_ipynb(data, name=name),)
        except ValueError as error:
            msg = f"{name}: not a notebook: {error}"
            raise DataError(msg) from error
    dialogues = []
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            dialogues.append(_line(line.decode()))
        except (ValueError, UnfitError) as error:
            msg = f"{name}:{number}: not a dialogue: {error}"
            raise DataError(msg) from error
    if not dialogues:
        msg = f"{name}: holds no dialogue"
        raise DataError(msg)
    return tuple(dialogues)


def _is_notebook(data: bytes) -> bool:
    try:
        whole = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(whole, dict) and "messages" not in whole and "opening" not in whole


def _line(line: str) -> Dialogue:
    row = records.from_line(line)
    if "messages" not in row:
        return records.decode(line)
    if not isinstance(row["messages"], list):
        msg = "'messages' is no list"
        raise ValueError(msg)  # noqa: TRY004  the caller learns of one kind of error
    name = row.get("id")
    return of_messages(row["messages"], name=name if isinstance(name, str) else "")


def _archive(dialogue: Dialogue, title: str, files: Mapping[str, bytes]) -> bytes:
    held = {f"files/{name}": data for name, data in sorted(files.items())}
    for form in NotebookForm:
        if form is not NotebookForm.ARCHIVE and form is not NotebookForm.CODE_FEEDBACK:
            held[f"dialogue.{form.value}"] = exported(dialogue, form, title=title)
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in held.items():
            archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), data, zipfile.ZIP_DEFLATED)
    return whole.getvalue()
