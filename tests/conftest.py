"""Settings that every test shares."""

import signal
from collections.abc import Iterator

import pytest
from chromium import launched
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser

# A shared machine is slow at times: a test fails for what it finds, not for how long it took.
settings.register_profile("codeloop", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("codeloop")

# Started in the background we may ignore ^C, and so would every program that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all: Playwright's synchronous form allows no second beside it in a process."""
    with launched() as opened:
        yield opened
