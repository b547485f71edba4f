"""For the whole suite."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long a made-up input takes to make or to try says something about the machine, and CI's is busy.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
