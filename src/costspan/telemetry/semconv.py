"""Every name that leaves this process as a span attribute or a metric.

The GenAI conventions are still in development and keep renaming things, so the keys are written out here and nowhere
else. They agree with opentelemetry-semantic-conventions 0.66b2 (a test compares); the values of `gen_ai.provider.name`
are those of its `GenAiProviderNameValues`. There is no standard attribute for cost: ours are in `costspan.`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
"""Seconds, streamed answers only."""
USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
"""All input tokens: the conventions count the cached ones in."""
USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
"""All output tokens, reasoning included."""
USAGE_CACHE_READ: Final = "gen_ai.usage.cache_read.input_tokens"
USAGE_CACHE_CREATION: Final = "gen_ai.usage.cache_creation.input_tokens"
USAGE_REASONING: Final = "gen_ai.usage.reasoning.output_tokens"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - the name of an attribute
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"
HTTP_STATUS: Final = "http.response.status_code"

EXCHANGE_ID: Final = "costspan.exchange.id"
"""The `x-request-id` that the client saw."""
COST_USD: Final = "costspan.cost.usd"
"""Double, for backends that can only sum doubles. Also the name of the counter."""
COST_EXACT: Final = "costspan.cost.exact"
"""The same as a decimal string, to the last digit."""
COST_STATUS: Final = "costspan.cost.status"
COST_ESTIMATED: Final = "costspan.cost.estimated_usd"
COST_PART: Final = "costspan.cost.part."
"""Followed by the name of a usage bucket or unit; double, USD."""
PRICE_SOURCE: Final = "costspan.price.source"
ROUTE: Final = "costspan.route"
STRATEGY: Final = "costspan.strategy"
ATTEMPT_INDEX: Final = "costspan.attempt.index"
ATTEMPT_OUTCOME: Final = "costspan.attempt.outcome"
ATTEMPTS: Final = "costspan.attempts"
"""How many attempts an exchange made. Also the name of the counter of attempts."""
RACE_EXTRA: Final = "costspan.race.extra_usd"
"""What the losers of a race are known to have cost, double; estimates stay out of it."""
KEY: Final = "costspan.key"
ATTRIBUTE: Final = "costspan.attr."
"""Followed by the name of an attribution attribute."""
CONFIG_GENERATION: Final = "costspan.config.generation"
"""Also the name of a gauge."""

OTHER_ERROR: Final = "_OTHER"
"""The conventions' `error.type` for a failure that has no name."""

CLIENT_TOKEN_USAGE: Final = "gen_ai.client.token.usage"  # noqa: S105 - the name of a metric
CLIENT_OPERATION_DURATION: Final = "gen_ai.client.operation.duration"
CLIENT_TIME_TO_FIRST_CHUNK: Final = "gen_ai.client.operation.time_to_first_chunk"
SERVER_REQUEST_DURATION: Final = "gen_ai.server.request.duration"
UNPRICED: Final = "costspan.unpriced"
COST_DRIFT: Final = "costspan.cost.drift_usd"
OVERHEAD: Final = "costspan.overhead"
INFLIGHT: Final = "costspan.inflight"
RELOAD_SUCCESS: Final = "costspan.config.reload_success"
LEDGER_DEGRADED: Final = "costspan.ledger.degraded"
KEY_COOLDOWNS: Final = "costspan.key.cooldowns"
TARGET_HEALTH: Final = "costspan.target.health"
BUDGET_REMAINING: Final = "costspan.budget.remaining_usd"
BUDGET_USED: Final = "costspan.budget.used_ratio"
BUDGET_WARNED: Final = "costspan.budget.warned"
BUDGET_SHARED_UP: Final = "costspan.budget.shared_up"
TELEMETRY_DROPPED: Final = "costspan.telemetry.dropped"

TOKEN_BUCKETS: Final = tuple(float(4**power) for power in range(14))
"""As the conventions advise: 1, 4, 16 .. 67108864."""
DURATION_BUCKETS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
"""Seconds, as the conventions advise."""
FIRST_CHUNK_BUCKETS: Final = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1),
    *(0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
"""Seconds, as the conventions advise for the time to the first token."""
OVERHEAD_BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""Seconds. A gateway's own time is counted in fractions of a millisecond."""

PROVIDER_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "azure": "azure.ai.openai",
        "azure-openai": "azure.ai.openai",
        "bedrock": "aws.bedrock",
        "gemini": "gcp.gemini",
        "google": "gcp.gemini",
        "mistral": "mistral_ai",
        "vertex": "gcp.vertex_ai",
        "watsonx": "ibm.watsonx.ai",
        "xai": "x_ai",
    }
)
"""`gen_ai.provider.name` by provider kind, where the conventions' word is not ours."""


def provider_name(kind: str) -> str:
    """`gen_ai.provider.name` for a provider kind; kinds that the conventions do not know are their own name."""
    return PROVIDER_NAMES.get(kind, kind)
