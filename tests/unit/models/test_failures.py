"""What servers say when a call fails, and what becomes of it."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.errors import ContextOverflowError, ModelError
from codeloop.models.failures import Wording, error_detail, http_failure, retry_after

WORDING = Wording("m at host", "sk-secret")
OVERFLOWS = {
    "OpenAI": '{"error": {"message": "This model\'s maximum context length is 8192 tokens. However'
    ', your messages resulted in 9000 tokens.", "code": "context_length_exceeded"}}',
    "vLLM": '{"object": "error", "message": "The decoder prompt (length 9000) is longer than the '
    'maximum model length of 8192."}',
    "vLLM, older": '{"message": "This model\'s maximum context length is 4096 tokens. However, you '
    'requested 5000 tokens"}',
    "llama.cpp": '{"error": {"code": 400, "message": "request (3031 tokens) exceeds the available '
    'context size (2048 tokens), try increasing it", "type": "exceed_context_size_error"}}',
    "llama.cpp, older": '{"error": {"message": "the request exceeds the available context size"}}',
    "Ollama": '{"error": "the input length exceeds the context length"}',
    "LM Studio": '{"error": "Trying to keep the first 5000 tokens when context the overflows. '
    'However, the model is loaded with context length of only 4096 tokens"}',
    "LM Studio, other": '{"error": "The number of tokens to keep from the initial prompt is greater'
    ' than the context length."}',
    "TGI": '{"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. '
    'Given: 4000 `inputs` tokens and 512 `max_new_tokens`"}',
    "TGI, input": '{"error": "Input validation error: `inputs` must have less than 1024 tokens."}',
    "Anthropic": '{"error": {"message": "prompt is too long: 210000 tokens > 200000 maximum"}}',
    "Groq": '{"error": {"message": "Please reduce the length of the messages or completion."}}',
    "Mistral": '{"message": "Prompt contains 40000 tokens, too large for model with 32768 maximum '
    'context length"}',
}


@pytest.mark.parametrize("body", OVERFLOWS.values(), ids=OVERFLOWS)
@pytest.mark.parametrize("status", [400, 413, 422])
def test_an_overflow_is_known_in_the_words_of_the_usual_servers(status: int, body: str) -> None:
    failure = http_failure(status, {}, body.encode(), WORDING, tries=8)
    assert isinstance(failure.error, ContextOverflowError)
    assert failure.tries == 1


@pytest.mark.parametrize(
    "text",
    ["max_tokens must be positive", "model not found", "context is required", "rate limit reached"],
)
def test_other_faults_are_no_overflow(text: str) -> None:
    failure = http_failure(
        400, {}, f'{{"error": {{"message": "{text}"}}}}'.encode(), WORDING, tries=8
    )
    assert type(failure.error) is ModelError
    assert text in str(failure.error)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": {"message": "m", "type": "t"}}', "m [t]"),
        (b'{"error": {"message": "m", "code": 400}}', "m"),
        (b'{"error": "m"}', "m"),
        (b'{"message": "m"}', "m"),
        (b'{"detail": [{"msg": "m"}]}', "[{'msg': 'm'}]"),
        (b'"m"', "m"),
        (b"m", "m"),
        (b"<html>m</html>", ""),
        (b"", ""),
        (b"[1]", "[1]"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_error_bodies_of_all_shapes(body: bytes, words: str) -> None:
    assert error_detail(body) == words


@given(st.binary(max_size=200), st.integers(300, 599))
def test_any_answer_makes_one_printable_line(body: bytes, status: int) -> None:
    failure = http_failure(status, {}, body, WORDING, tries=8)
    text = str(failure.error)
    assert text.startswith("m at host: ")
    assert not any(char in text for char in "\n\r\x1b\x00")


def test_the_key_never_stands_in_an_error() -> None:
    body = b'{"error": {"message": "Incorrect API key provided: sk-secret"}}'
    text = str(http_failure(401, {}, body, WORDING, tries=8).error)
    assert "sk-secret" not in text
    assert "provided: ***" in text


def test_only_what_passes_is_tried_again() -> None:
    tries = {
        status: http_failure(status, {}, b"", WORDING, tries=8).tries for status in range(400, 600)
    }
    again = {status for status, number in tries.items() if number > 1}
    assert again == {408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529}


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("1.5", 1.5),
        (format_datetime(NOW, usegmt=True), 10.0),
        ("Thu, 01 Jan 2026 00:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("1" * 5000, None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_in_both_forms(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, now=NOW.timestamp() - 10) == seconds
