"""What a collector receives of an exchange: one trace, every attempt on it, the cost to the last digit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp

from fakes.collector import Collector
from fakes.gateway import running
from fakes.upstream import Answer, Cut, FakeUpstream
from fakes.upstream_answers import STREAM_HEADERS, openai_stream

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SERVER, CLIENT = 2, 3


def attributes(span: Span) -> dict[str, Any]:
    def value(of: Any) -> Any:
        kind = of.WhichOneof("value")
        return [value(one) for one in of.array_value.values] if kind == "array_value" else getattr(of, kind)

    return {pair.key: value(pair.value) for pair in span.attributes}


async def test_the_whole_chain_is_on_the_callers_trace(tmp_path: Path) -> None:
    reset = Answer(headers=STREAM_HEADERS, body=[Cut.RESET], framing="chunked")
    limited = Answer(status=429)
    whole = openai_stream(usage={"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500})
    with Collector() as collector:
        async with FakeUpstream(reset) as a, FakeUpstream(limited) as b, FakeUpstream(whole) as c:
            providers = "\n".join(
                f'  {name}: {{kind: openai, base_url: "{up.url}/v1", api_key: test-key}}'
                for name, up in (("a", a), ("b", b), ("c", c))
            )
            config = f"""
providers:
{providers}
defaults: {{retries: 0}}
routes: {{chain: {{targets: [a/m, b/m, c/m]}}}}
telemetry: {{otlp: {{endpoint: "{collector.endpoint}"}}}}
attribution: {{headers: {{x-team: team}}}}
"""
            async with running(tmp_path, config) as gateway:
                body = {"model": "chain", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
                headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-team": "search"}
                async with (
                    aiohttp.ClientSession(headers=headers) as client,
                    client.post(f"{gateway.url}/v1/chat/completions", json=body) as response,
                ):
                    exchange_id = response.headers["x-request-id"]
                    await response.read()
                (exchange,) = gateway.records("exchange")
            assert not any(request.header("traceparent") for up in (a, b, c) for request in up.requests)
        spans = collector.spans

    (server,) = (span for span in spans if span.kind == SERVER)
    clients = sorted((span for span in spans if span.kind == CLIENT), key=lambda s: s.start_time_unix_nano)
    assert (server.name, [span.name for span in clients]) == ("chat chain", ["chat m"] * 3)
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    assert server.parent_span_id.hex() == PARENT
    assert {span.parent_span_id for span in clients} == {server.span_id}
    assert [attributes(span).get("error.type") for span in clients] == ["upstream_reset", "rate_limit", None]
    assert [attributes(span)["costspan.attempt.index"] for span in clients] == [0, 1, 2]
    said = attributes(server)
    assert said["costspan.attempts"] == 3
    assert said["costspan.cost.exact"] == exchange["cost_usd"]
    assert said["costspan.cost.usd"] == 0.006  # 1000 * 2 + 500 * 8 USD per million
    assert said["costspan.cost.status"] == "estimated"  # the first attempt had the prompt and said nothing of it
    assert said["costspan.attr.team"] == "search"
    assert said["costspan.exchange.id"] == exchange_id == exchange["id"]
    assert attributes(clients[2])["costspan.cost.part.output"] == 0.004
    assert attributes(clients[2])["gen_ai.usage.input_tokens"] == 1000


async def test_garbage_in_traceparent_begins_a_new_trace(tmp_path: Path) -> None:
    with Collector() as collector:
        async with FakeUpstream(openai_stream()) as up:
            config = f"""
providers: {{p: {{kind: openai, base_url: "{up.url}/v1", api_key: test-key, propagate_trace: true}}}}
routes: {{chain: p/m}}
telemetry: {{otlp: {{endpoint: "{collector.endpoint}"}}}}
"""
            async with running(tmp_path, config) as gateway:
                body = {"model": "chain", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
                async with (
                    aiohttp.ClientSession(headers={"traceparent": "00-zz"}) as client,
                    client.post(f"{gateway.url}/v1/chat/completions", json=body) as response,
                ):
                    await response.read()
            sent = up.requests[0].header("traceparent")
        (server,) = (span for span in collector.spans if span.kind == SERVER)
        (attempt,) = (span for span in collector.spans if span.kind == CLIENT)

    assert server.parent_span_id == b""
    assert sent == f"00-{attempt.trace_id.hex()}-{attempt.span_id.hex()}-01"
