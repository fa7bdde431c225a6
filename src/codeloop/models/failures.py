"""What a failed call means, in one line that says what to mend, and whether to try it again."""

import json
import re
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from typing import Any

from codeloop.core.errors import ContextOverflowError, ModelError, UnavailableError
from codeloop.models.transport import NotHttpError

KEY_VARIABLE = "CODELOOP_API_KEY"
DETAIL_CHARS = 300
RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
NETWORK_TRIES = 4  # who does not answer at all is not tried for as long as who is busy

# What the usual servers say when the messages do not fit: OpenAI, vLLM, llama.cpp, Ollama,
# LM Studio, TGI, and those who speak like them.
OVERFLOW = re.compile(
    r"""context_length_exceeded | exceed_context_size | maximum\ context\ length
    | maximum\ model\ length | exceeds?\ (the\ )?(available\ |maximum\ |model'?s?\ )?context
    | prompt\ is\ too\ long | context\ (window|size|length)\ (exceeded|is\ too\ small)
    | reduce\ the\ length\ of\ (the|your) | context\ the\ overflows | reached\ context\ length
    | greater\ than\ the\ context\ length | exceeds?\ (the\ )?context\ (window|size|length)
    | inputs`?\ tokens\ \+\ `?max_new_tokens | inputs`?\ must\ have\ less\ than
    | too\ large\ for\ model\ with""",
    re.IGNORECASE | re.VERBOSE,
)
HTTP_WORDS = {
    401: f"the API key is refused: set {KEY_VARIABLE}",
    403: f"access is denied: {KEY_VARIABLE} may not use this model, or the address is wrong",
    404: "nothing there: check the base URL (it usually ends in /v1) and the model's name",
    405: "nothing there that takes a request: check the base URL (it usually ends in /v1)",
    413: "the request is too large for the endpoint",
}


@dataclass(slots=True)
class CallError(Exception):
    """A failed try: the error to raise if it was the last, and whether there may be another."""

    error: ModelError
    tries: int = 1  # how many there may be in all
    after_s: float | None = None  # what the endpoint asks to wait


@dataclass(frozen=True, slots=True)
class Wording:
    """How a model is called in errors, and what must never stand in one."""

    who: str
    secret: str | None = None

    def error(self, text: str, *, kind: type[ModelError] = ModelError) -> ModelError:
        """Return an error of one line without the key and without control characters."""
        return kind(self._line(text))

    def unavailable(
        self, text: str, after_s: float | None = None, *, too_many: bool = False
    ) -> UnavailableError:
        """Return such an error of a call that may go well later."""
        return UnavailableError(self._line(text), after_s, too_many=too_many)

    def _line(self, text: str) -> str:
        if self.secret:
            text = text.replace(self.secret, "***")
        line = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\s]+", " ", text).strip()
        return f"{self.who}: {line}"


def network_failure(error: Exception, wording: Wording, limit_s: float) -> CallError:
    """Return what a failed connection means."""
    match error:
        case TimeoutError():
            say = f"no end of the answer within {limit_s:g} s"
            return CallError(wording.error(say, kind=UnavailableError))
        case socket.gaierror():
            say = "the host's name is not known: check the base URL"
        case ConnectionRefusedError():
            say = "nothing listens there: start the server, or check host and port of the base URL"
        case FileNotFoundError():
            say = "the engine's socket is gone"
        case ssl.SSLCertVerificationError():
            say = f"the certificate is not trusted ({error.verify_message}): set SSL_CERT_FILE"
            return CallError(wording.error(say))
        case ssl.SSLError():
            say = "no TLS there: check whether the base URL is to begin with http or https"
            return CallError(wording.error(say))
        case ConnectionError():
            say = f"the connection broke before the reply began ({type(error).__name__})"
        case EOFError():
            say = "the connection ended before the reply began"
        case NotHttpError():
            say = "what answers there does not speak HTTP: check the base URL"
        case _:
            say = f"no connection ({error})"
    return CallError(wording.error(say, kind=UnavailableError), tries=NETWORK_TRIES)


def http_failure(
    status: int, headers: Mapping[str, str], body: bytes, wording: Wording, *, tries: int
) -> CallError:
    """Return what an answer other than 200 means."""
    detail = error_detail(body)
    if 300 <= status < 400:  # noqa: PLR2004  the redirects
        to = headers.get("location", "nowhere")[:DETAIL_CHARS]
        say = f"{status}, redirected to {to}: redirects are not followed, set the base URL to it"
        return CallError(wording.error(say))
    if status < 500 and status != 429 and OVERFLOW.search(detail):  # noqa: PLR2004
        return CallError(wording.error(detail, kind=ContextOverflowError))
    words = [str(status), HTTP_WORDS.get(status, ""), f"({detail})" if detail else ""]
    say = " ".join(word for word in words if word)
    if status not in RETRIED:
        return CallError(wording.error(say))
    after_s = retry_after(headers.get("retry-after"))
    busy = wording.unavailable(say, after_s, too_many=status == 429)  # noqa: PLR2004
    return CallError(busy, tries, after_s)


def stream_failure(chunk: dict[str, Any], wording: Wording, *, tries: int) -> CallError:
    """Return what an error object in place of a chunk means."""
    detail = error_words(chunk)
    if OVERFLOW.search(detail):
        return CallError(wording.error(detail, kind=ContextOverflowError))
    error = chunk.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    say = f"the endpoint broke off: {detail}"
    if code in RETRIED:
        return CallError(wording.unavailable(say), tries)
    return CallError(wording.error(say))


def error_detail(body: bytes) -> str:
    """Return the words of an error body of any of the usual shapes; "" for HTML."""
    text = body.decode("utf-8", "replace").strip()
    try:
        return error_words(json.loads(text))
    except ValueError:
        return "" if text.startswith("<") else text[:DETAIL_CHARS]


def error_words(value: Any) -> str:
    """Return the words of an error object: {"error": {"message": ...}} and its relatives."""
    if isinstance(value, dict):
        error = value.get("error") or value.get("message") or value.get("detail") or value
        if isinstance(error, dict):
            kind = error.get("code") or error.get("type") or ""
            text = str(error.get("message") or error)
            error = text if str(kind) in text or not isinstance(kind, str) else f"{text} [{kind}]"
        value = error
    return str(value)[:DETAIL_CHARS]


def retry_after(value: str | None, *, now: float | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks for, given as seconds or as a date."""
    if not value:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value.strip()):
        return float(value)
    date = parsedate_tz(value)
    if date is None:
        return None
    return max(0.0, mktime_tz(date) - (time.time() if now is None else now))
