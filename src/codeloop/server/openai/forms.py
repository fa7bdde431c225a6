"""A form with files, as clients send an upload: `multipart/form-data` (RFC 7578)."""

import re

from codeloop.server.refusals import RefusalError

_BOUNDARY = re.compile(r'boundary="?([^";]{1,70})"?', re.IGNORECASE)
_NAME = re.compile(r'\bname="([^"]*)"')
_FILE_NAME = re.compile(r'\bfilename="((?:[^"\\]|\\.)*)"')
_MOST_PARTS = 32

Part = tuple[str | None, bytes]  # the name of its file, if it is one; its content


def read_form(content_type: str, body: bytes) -> dict[str, Part]:
    """Return the parts of a form by their names; of two with one name, the last.

    Raises:
        RefusalError: it is no such form.
    """
    boundary = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data") or boundary is None:
        raise RefusalError(415, "send multipart/form-data")
    mark = b"--" + boundary[1].encode("latin-1", "replace")
    first, *pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if first.strip() or not pieces or not pieces[-1].startswith(b"--"):
        raise RefusalError(400, "the form is not whole")
    if len(pieces) > _MOST_PARTS:
        raise RefusalError(413, f"a form may have {_MOST_PARTS} parts")
    return dict(_part(piece) for piece in pieces[:-1])


def _part(piece: bytes) -> tuple[str, Part]:
    head, found, content = piece.partition(b"\r\n\r\n")
    headers = head.decode("utf-8", "replace")
    name = _NAME.search(headers)
    if not found or name is None:
        raise RefusalError(400, "a part of the form has no name")
    file = _FILE_NAME.search(headers)
    return name[1], (re.sub(r"\\(.)", r"\1", file[1]) if file else None, content)
