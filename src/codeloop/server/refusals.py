"""Why a request is refused, as every answer of that kind says it."""

from starlette.exceptions import HTTPException

_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    411: "length_required",
    413: "too_large",
    415: "unsupported_type",
    421: "unknown_host",
    429: "too_many",
    503: "unavailable",
}


class RefusalError(HTTPException):
    """A request that is not answered as it asks: status, a code for programs, a text for people."""

    def __init__(self, status: int, text: str, code: str = "") -> None:
        headers = {"Retry-After": "1"} if status in {429, 503} else None
        super().__init__(status, text, headers)
        self.code = code or code_of(status)


def code_of(status: int) -> str:
    """Return the code that goes with a status."""
    return _CODES.get(status, "error")


def no_such(what: str) -> RefusalError:
    """Return the answer to who asks for what there is not, or is not theirs."""
    return RefusalError(404, f"no such {what}")
