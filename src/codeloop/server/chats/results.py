"""Results as events hold them: what is large, or a page of its own, lies beside them as a blob."""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from codeloop.core.execution import KIB, ExecutionResult
from codeloop.core.records import from_json, to_json
from codeloop.server.chats.cleaning import clean
from codeloop.server.store.blobs import Blob

INLINE_CHARS = 32 * KIB  # of a part of a display; what is longer becomes a blob
_TEXT = frozenset({"image/svg+xml"})

Keep = Callable[[bytes, str], Blob]
Load = Callable[[str], bytes]


def result_to_json(result: ExecutionResult, keep: Keep) -> dict[str, Any]:
    """Return a result as JSON values; `keep` takes what becomes a blob.

    HTML always does: it is shown only as a document of its own, behind its own policy.
    """
    data: dict[str, Any] = to_json(result)
    for stream in ("stdout", "stderr"):
        data[stream]["text"] = clean(data[stream]["text"])
    for display in data["displays"]:
        display["parts"] = [
            [mime, _kept(mime, form, keep) if _is_blob(mime, form) else form]
            for mime, form in display["parts"]
        ]
    return data


def result_from_json(data: dict[str, Any], load: Load | None = None) -> ExecutionResult:
    """Return the result that an event holds; without `load`, without what lies in blobs."""
    displays = []
    for display in data.get("displays", []):
        parts = []
        for mime, form in display["parts"]:
            if not isinstance(form, dict):
                parts.append([mime, form])
            elif load is not None and form["blob"]:  # not what its user had no room for
                parts.append([mime, _loaded(mime, load(form["blob"]))])
        displays.append({"parts": parts})
    return from_json(ExecutionResult, {**data, "displays": displays})


def _is_blob(mime: str, form: str) -> bool:
    return mime == "text/html" or (mime != "text/plain" and len(form) > INLINE_CHARS)


def _kept(mime: str, form: str, keep: Keep) -> dict[str, Any]:
    data = form.encode("utf-8", "replace")
    if is_binary(mime):
        try:
            data = base64.b64decode(form, validate=False)
        except binascii.Error:
            mime = "text/plain"
    blob = keep(data, mime)
    return {"blob": blob.hash, "mime": blob.mime, "bytes": blob.bytes}


def _loaded(mime: str, data: bytes) -> str:
    return base64.b64encode(data).decode() if is_binary(mime) else data.decode("utf-8", "replace")


def is_binary(mime: str) -> bool:
    """Return whether a display holds data of that type in base64."""
    return mime.startswith(("image/", "audio/", "video/", "application/pdf")) and mime not in _TEXT
