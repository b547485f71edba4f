"""`--hypothesis-profile=torture`: the state machine lives long, and what fails is shrunk. See `make torture`."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "torture",
    max_examples=3000,
    stateful_step_count=60,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
