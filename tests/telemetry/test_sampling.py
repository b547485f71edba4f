"""costspan.telemetry.sampling: OTEL_TRACES_SAMPLER, decided as the SDK does."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from costspan.telemetry.sampling import sampler_from

LOW, HIGH = 1, 2**64 - 1
CASES: dict[str, tuple[dict[str, str], int, bool | None, bool]] = {
    "by default all roots": ({}, HIGH, None, True),
    "by default an unsampled parent wins": ({}, LOW, False, False),
    "always_on ignores the parent": ({"OTEL_TRACES_SAMPLER": "always_on"}, HIGH, False, True),
    "always_off ignores the parent": ({"OTEL_TRACES_SAMPLER": "always_off"}, LOW, True, False),
    "parentbased_always_off, root": ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, LOW, None, False),
    "parentbased_always_off, child": ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, HIGH, True, True),
    "half, low": ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}, LOW, None, True),
    "half, high": ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}, HIGH, True, False),
    "half, parent": (
        {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}, HIGH, True, True,
    ),
    "ratio without argument": ({"OTEL_TRACES_SAMPLER": "traceidratio"}, HIGH, None, True),
    "spaces and capitals": ({"OTEL_TRACES_SAMPLER": " Always_Off "}, LOW, None, False),
}  # fmt: skip


@pytest.mark.parametrize(("environ", "trace_id", "parent", "expected"), CASES.values(), ids=CASES.keys())
def test_decisions(environ: dict[str, str], trace_id: int, parent: bool | None, expected: bool) -> None:
    assert sampler_from(environ).decide(trace_id, parent) is expected


BAD = {
    "unknown sampler": {"OTEL_TRACES_SAMPLER": "sk-secret"},
    "not a number": {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "half"},
    "out of range": {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "7"},
}


@pytest.mark.parametrize("environ", BAD.values(), ids=BAD.keys())
def test_what_cannot_be_read_is_warned_about_and_samples(
    environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert sampler_from(environ).decide(HIGH, None) is True

    assert len(caplog.records) == 1


@given(st.integers(0, 2**128 - 1), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.999, 1.0]))
def test_the_ratio_decides_as_the_sdk_does(trace_id: int, ratio: float) -> None:
    environ = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": str(ratio)}
    sdk = TraceIdRatioBased(ratio).should_sample(None, trace_id, "name").decision

    assert sampler_from(environ).decide(trace_id, None) is (sdk is Decision.RECORD_AND_SAMPLE)
