"""A guest's standard streams, and how to give them back to a kernel whose cells closed them."""

import builtins
import contextlib
import io
import os
import sys
from collections.abc import Callable

# A cell may replace what is in the real one: we keep what we need by name.
__builtins__ = dict(vars(builtins))  # type: ignore[assignment]

NAMES = ("stdin", "stdout", "stderr")


def make(descriptor: int) -> io.TextIOWrapper:
    """Return a standard stream; lines go out as they end, so that a killed run shows its last."""
    reads = descriptor == 0
    raw = io.FileIO(descriptor, "r" if reads else "w", closefd=False)
    raw.name = f"<{NAMES[descriptor]}>"
    buffer = io.BufferedReader(raw) if reads else io.BufferedWriter(raw)
    errors = "backslashreplace" if descriptor == 2 else "strict"  # noqa: PLR2004
    newline = None if reads else "\n"
    return io.TextIOWrapper(buffer, "utf-8", errors, newline, line_buffering=not reads)


def install() -> None:
    """Give this interpreter the streams that its forks will use.

    They are made over a pipe, which cannot be told from the guests' own pipes.
    """
    kept = [os.dup(descriptor) for descriptor in range(3)]
    ends = os.pipe()
    for descriptor, name in enumerate(NAMES):
        os.dup2(ends[min(descriptor, 1)], descriptor)
        stream = make(descriptor)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
        os.dup2(kept[descriptor], descriptor)
    for descriptor in (*kept, *ends):
        os.close(descriptor)


def keeper(lowest_spare: int) -> Callable[[], None]:
    """Return a function that opens again which of the output streams have been closed.

    Copies of the descriptors are kept from `lowest_spare` on.
    """
    spares = {at: os.dup2(at, lowest_spare + at, inheritable=False) for at in (1, 2)}
    dup2, fstat, suppress = os.dup2, os.fstat, contextlib.suppress

    def restore() -> None:
        for descriptor, spare in spares.items():
            try:
                fstat(descriptor)
            except OSError:
                with suppress(OSError):  # the copy is gone too: the guest wants it so
                    dup2(spare, descriptor)
            stream = getattr(sys, NAMES[descriptor], None)
            if getattr(stream, "closed", False):
                setattr(sys, NAMES[descriptor], make(descriptor))

    return restore


def flush() -> None:
    """Write out what the output streams hold back, whatever they may be by now."""
    for name in NAMES[1:]:
        with contextlib.suppress(Exception):
            getattr(sys, name).flush()
