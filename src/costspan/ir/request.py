"""A request, in no provider's dialect.

Block-shaped: a superset of Anthropic's blocks and OpenTelemetry's parts. Tool arguments stay JSON
*text* from end to end, because parsing and printing again changes numbers. What only one dialect
knows rides in `extensions`, keyed by that dialect, and comes back out only towards it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Role: TypeAlias = Literal["user", "assistant", "system"]
"""`system` occurs only in the middle of a conversation; leading ones are `Request.instructions`."""

Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


@dataclass(frozen=True, slots=True)
class Cache:
    """A prompt-cache marker: everything up to and including its block may be cached. `ttl` as `5m` or `1h`."""

    ttl: str | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a piece of text came from. `raw` is the origin dialect's object, given back only to that dialect."""

    url: str | None = None
    title: str | None = None
    cited_text: str | None = None
    start: int | None = None
    end: int | None = None
    origin: str = ""
    raw: Any = None


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text. `opaque` is what its provider signed it with (Gemini's `thoughtSignature`)."""

    text: str
    citations: tuple[Citation, ...] = ()
    cache: Cache | None = None
    opaque: Opaque | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """An image, a sound, a document or a video: exactly one of `url`, `data`, `file_id` is set.

    `data` is base64 as the client sent it (never decoded here). A URL is passed on or refused, never fetched.
    """

    kind: Literal["image", "audio", "document", "video"]
    mime: str | None = None
    url: str | None = None
    data: str | None = None
    file_id: str | None = None
    detail: str | None = None
    name: str | None = None
    cache: Cache | None = None


@dataclass(frozen=True, slots=True)
class Opaque:
    """What a provider wants back unchanged. `data` means something to `origin` (a dialect's name) only."""

    origin: str
    kind: Literal["signature", "encrypted", "redacted"]
    data: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a function. `arguments` is JSON text, `{}` where there are none."""

    id: str
    name: str
    arguments: str
    opaque: Opaque | None = None
    cache: Cache | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The answer to a tool call, by its id."""

    call_id: str
    blocks: tuple[Text | Media, ...]
    is_error: bool = False
    cache: Cache | None = None


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The model's thinking. `text` is empty where only the opaque form was given; `summary` says it is a summary."""

    text: str = ""
    summary: bool = False
    opaque: Opaque | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The model declined, in its own words."""

    text: str


@dataclass(frozen=True, slots=True)
class ServerTool:
    """A tool that the provider ran itself (call or result), kept as the origin dialect's own object."""

    origin: str
    kind: str
    raw: Any = None


Block: TypeAlias = Text | Media | ToolCall | ToolResult | Reasoning | Refusal | ServerTool


@dataclass(frozen=True, slots=True)
class Message:
    """One turn."""

    role: Role
    blocks: tuple[Block, ...]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call. `parameters` is a JSON Schema."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    cache: Cache | None = None


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Which tool to call. `name` only with mode `named`."""

    mode: Literal["auto", "none", "required", "named"]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """Structured output. `schema` None means any JSON object."""

    schema: dict[str, Any] | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class ReasoningOptions:
    """How much to think: by `effort` or by `budget_tokens`; `dynamic` lets the model choose."""

    effort: Effort | None = None
    budget_tokens: int | None = None
    dynamic: bool = False
    summary: str | None = None
    exclude: bool = False


@dataclass(frozen=True, slots=True)
class Sampling:
    """Knobs. None means not asked for."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    logit_bias: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One chat request. `n` is the number of choices."""

    model: str
    messages: tuple[Message, ...]
    instructions: tuple[Text, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | None = None
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    output_format: OutputFormat | None = None
    reasoning: ReasoningOptions | None = None
    n: int = 1
    logprobs: bool = False
    top_logprobs: int | None = None
    end_user: str | None = None
    metadata: dict[str, Any] | None = None
    service_tier: str | None = None
    stream: bool = False
    extensions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Top-level fields that only the dialect (the outer key) knows. Towards another dialect each is a loss.

    The key `openai` holds those that both of OpenAI's dialects know, by the names of openai-chat (`verbosity`,
    `prompt_cache_key`, `store`, ...).
    """
