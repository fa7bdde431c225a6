"""How many tokens messages take, estimated from above without a tokenizer."""

from collections.abc import Sequence

from codeloop.core.dialogue import Message

# Byte-level BPE vocabularies of code models spend at least 3 bytes on a token in prose and
# code; what is dense in digits, indentation or rare script spends fewer. See docs/models.md
# for how far above the tokenizer of Qwen2.5 this stays on real dialogues.
BYTES_PER_TOKEN = 3
MESSAGE_TOKENS = 8  # role, delimiters and newlines of a chat template
OPENING_TOKENS = 32  # a system text that a template may add by itself, and the reply's header


def estimate_text_tokens(text: str) -> int:
    """Return an estimate of the tokens of a bare text."""
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return -(-size // BYTES_PER_TOKEN)


def estimate_tokens(messages: Sequence[Message]) -> int:
    """Return an estimate from above of the tokens that a chat template makes of the messages."""
    return OPENING_TOKENS + sum(
        MESSAGE_TOKENS + estimate_text_tokens(message.content) for message in messages
    )
