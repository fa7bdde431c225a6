"""Settings that every test shares."""

from hypothesis import settings

# A shared machine is slow at times: a test fails for what it finds, not for how long it took.
settings.register_profile("codeloop", deadline=None)
settings.load_profile("codeloop")
