"""A wish to stop, said again and again: a run that is just about to begin hears of it only then."""

import threading
from collections.abc import Callable

_EVERY_S = 0.2


def press(stop: Callable[[], object], ended: Callable[[], bool]) -> None:
    """Call `stop` now, and every so often until what it is to stop has ended."""
    if ended():
        return
    stop()
    again = threading.Timer(_EVERY_S, press, (stop, ended))
    again.daemon = True
    again.start()
