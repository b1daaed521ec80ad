"""Settings shared by all tests."""

from __future__ import annotations

from hypothesis import settings

# The first example of a property compiles kernels, which takes seconds: no deadline.
settings.register_profile("headode", deadline=None, derandomize=True)
settings.load_profile("headode")
