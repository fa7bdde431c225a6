"""Settings that every test shares."""

from hypothesis import HealthCheck, settings

# A shared machine is slow at times: a test fails for what it finds, not for how long it took.
settings.register_profile("codeloop", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("codeloop")
