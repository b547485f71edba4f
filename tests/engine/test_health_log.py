"""costspan.engine.watch: a target that falls ill and gets well has one line in the log for each, however many ask."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from costspan.engine.targets import Targets
from costspan.engine.watch import Watch
from costspan.errors import Category, UpstreamError
from costspan.routing.plan import Policy, Step
from fakes.accounts import account

if TYPE_CHECKING:
    from costspan.engine.call import Call
    from costspan.engine.keys import Lease

ACCOUNT = account("openai", "https://p.example/v1", keys=("one",), name="p")
STEP = Step("p", "m", {}, Policy())
DOWN = UpstreamError("no", kind="upstream_error", category=Category.SERVER_ERROR)


class Patient:
    """A target at a clock that is told."""

    def __init__(self) -> None:
        self.now = 100.0
        self.targets = Targets(lambda: 0.5)
        self.target = self.targets.of("p/m", ACCOUNT)

    def attempt(self) -> Watch:
        ticket = self.target.breaker.admit(self.now, last_resort=True)
        assert ticket is not None
        return Watch(
            cast("Call", SimpleNamespace(raw=None, peek=SimpleNamespace(stream=True))),
            STEP,
            self.target,
            ticket,
            self.target.timing.begun(self.now, 10, streamed=True),
            now=lambda: self.now,
            lease=cast("Lease", SimpleNamespace(account=ACCOUNT, end=lambda: None)),
            free=lambda _: None,
            expectations=self.targets.expectations,
        )

    def fails(self, times: int, error: UpstreamError = DOWN) -> None:
        for watch in [self.attempt() for _ in range(times)]:
            watch.ended("failed", error, None)


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


OPENED = ("WARNING", "target p/m: breaker open after upstream_error; tried again in 1 s")
CLOSED = ("INFO", "target p/m: breaker closed, it answers again")


def test_falling_ill_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    patient = Patient()
    patient.fails(4)
    assert lines(caplog) == []
    patient.fails(40)
    assert lines(caplog) == [OPENED]


@pytest.mark.parametrize("sign", ["content", "whole", "refusal"])
def test_getting_well_is_one_line_and_probes_that_fail_are_none(caplog: pytest.LogCaptureFixture, sign: str) -> None:
    caplog.set_level(logging.INFO)
    patient = Patient()
    patient.fails(5)
    for _ in range(8):
        patient.now += 61
        patient.fails(1)
    assert lines(caplog) == [OPENED]
    patient.now += 61
    probe = patient.attempt()
    if sign == "content":
        probe.content()
    if sign == "refusal":
        probe.ended("failed", UpstreamError("no", kind="bad", category=Category.INVALID_REQUEST), None)
    else:
        probe.ended("ok", None, None)
    patient.attempt().ended("ok", None, None)
    assert lines(caplog) == [OPENED, CLOSED]


def test_who_was_never_ill_has_no_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    patient = Patient()
    for _ in range(30):
        watch = patient.attempt()
        watch.content()
        watch.ended("ok", None, None)
    patient.fails(30, UpstreamError("no", kind="rate_limited", category=Category.RATE_LIMIT))
    assert lines(caplog) == []
