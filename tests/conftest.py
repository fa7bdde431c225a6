"""Settings that every test shares."""

import signal

from hypothesis import HealthCheck, settings

# A shared machine is slow at times: a test fails for what it finds, not for how long it took.
settings.register_profile("codeloop", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("codeloop")

# Started in the background we may ignore ^C, and so would every program that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
