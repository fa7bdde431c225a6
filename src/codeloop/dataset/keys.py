"""Keys by content: what has the same content has the same key, in any process and on any day."""

import hashlib
import json
import random
from typing import Any

KEY_BYTES = 16
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest(value: Any) -> str:
    """Return the BLAKE2b-128 of a JSON value in its canonical form: 32 hexadecimal digits.

    Tuples count as lists. Canonical is: keys sorted, no spaces, ASCII.

    Raises:
        TypeError: it holds what is no JSON value.
    """
    return hashlib.blake2b(_CANONICAL.encode(value).encode(), digest_size=KEY_BYTES).hexdigest()


def chooser(key: str, purpose: str) -> random.Random:
    """Return a source of random choices for a row: the same key and purpose choose the same."""
    return random.Random(digest([key, purpose]))  # noqa: S311  reproducible is what is wanted
