"""A small reader of answers in every dialect that shares no code with costspan: what their client understands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from costspan.wire import json
from fakes.corpus import data_of, events, objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Said:
    """What an answer says, in no dialect. Only the first choice."""

    text: str = ""
    reasoning: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    """Name and arguments, as JSON values."""
    finish: str | None = None
    prompt: int | None = None
    completion: int | None = None


@dataclass
class _Calls:
    """Names and arguments that come in pieces, by the number of their block."""

    found: dict[Any, list[str]] = field(default_factory=dict)

    def add(self, number: Any, name: str = "", arguments: str = "") -> None:
        parts = self.found.setdefault(number, ["", ""])
        parts[0] += name
        parts[1] += arguments

    def read(self) -> list[tuple[str, Any]]:
        return [(name, json.loads(arguments or "{}")) for name, arguments in self.found.values()]


_FINISH = {
    **dict.fromkeys(("stop", "end_turn", "stop_sequence", "completed", "STOP", "COMPLETE"), "stop"),
    **dict.fromkeys(("tool_calls", "tool_use", "TOOL_CALL"), "tool_calls"),
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "MAX_TOKENS"), "length"),
    **dict.fromkeys(("content_filter", "refusal", "guardrail_intervened", "SAFETY"), "content_filter"),
}


def read(dialect: str, raw: bytes, *, stream: bool) -> Said:
    """What the client of an answer understands; a stream as server-sent events."""
    whole, streamed = _READERS[dialect]
    return streamed(raw) if stream else whole(json.loads_object(raw))


def _chat(body: dict[str, Any]) -> Said:
    """Mistral alike, whose content is a list where it thinks."""
    choice = body["choices"][0]
    message = choice["message"]
    said = Said()
    _chat_content(said, message)
    said.calls = [
        (call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in message.get("tool_calls") or []
    ]
    said.finish = _FINISH[choice["finish_reason"]]
    if usage := body.get("usage"):
        _chat_usage(said, usage)
    return said


def _chat_content(said: Said, message: dict[str, Any]) -> None:
    content: Any = message.get("content") or ""
    parts: list[dict[str, Any]] = content if isinstance(content, list) else [{"text": content}]
    for part in parts:
        said.text += part.get("text", "")
        said.reasoning += "".join(thought["text"] for thought in part.get("thinking", ()))
    said.reasoning += message.get("reasoning_content") or message.get("reasoning") or ""


def _chat_usage(said: Said, usage: dict[str, Any]) -> None:
    said.prompt = usage["prompt_tokens"]
    said.completion = usage["total_tokens"] - usage["prompt_tokens"]  # xAI: completion_tokens lacks the reasoning


def _chat_stream(raw: bytes) -> Said:
    said, calls = Said(), _Calls()
    for chunk in objects(raw):
        for choice in chunk.get("choices", [])[:1]:
            _chat_content(said, choice["delta"])
            said.finish = _FINISH.get(choice.get("finish_reason"), said.finish)
            for call in choice["delta"].get("tool_calls") or []:
                function = call["function"]
                calls.add(call["index"], function.get("name") or "", function.get("arguments") or "")
        usage = chunk.get("usage") or chunk.get("x_groq", {}).get("usage")
        if usage:
            _chat_usage(said, usage)
    said.calls = calls.read()
    return said


def _messages(body: dict[str, Any]) -> Said:
    blocks = body["content"]
    said = Said(
        "".join(block["text"] for block in blocks if block["type"] == "text"),
        "".join(block["thinking"] for block in blocks if block["type"] == "thinking"),
        [(block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"],
        _FINISH[body["stop_reason"]],
    )
    _messages_usage(said, body["usage"])
    return said


def _messages_usage(said: Said, usage: dict[str, Any]) -> None:
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    if any(name in usage for name in names):
        said.prompt = sum(usage.get(name) or 0 for name in names)
    said.completion = usage["output_tokens"]


def _messages_stream(raw: bytes) -> Said:
    said, calls = Said(), _Calls()
    for event in objects(raw):
        match event:
            case {"type": "message_start", "message": message}:
                _messages_usage(said, message["usage"])
            case {"type": "content_block_start", "index": index, "content_block": {"type": "tool_use", "name": name}}:
                calls.add(index, name)
            case {"delta": {"type": "text_delta", "text": text}}:
                said.text += text
            case {"delta": {"type": "thinking_delta", "thinking": text}}:
                said.reasoning += text
            case {"index": index, "delta": {"type": "input_json_delta", "partial_json": part}}:
                calls.add(index, arguments=part)
            case {"type": "message_delta", "delta": delta, "usage": usage}:
                said.finish = _FINISH[delta["stop_reason"]]
                _messages_usage(said, usage)
    said.calls = calls.read()
    return said


def _responses(body: dict[str, Any]) -> Said:
    said = Said()
    for item in body["output"]:
        match item:
            case {"type": "message", "content": content}:
                said.text += "".join(part.get("text", "") for part in content)
            case {"type": "reasoning"}:
                parts = [*(item.get("summary") or ()), *(item.get("content") or ())]
                said.reasoning += "".join(part["text"] for part in parts)
            case {"type": "function_call", "name": name, "arguments": arguments}:
                said.calls.append((name, json.loads(arguments)))
    _responses_end(said, body)
    return said


def _responses_end(said: Said, body: dict[str, Any]) -> None:
    reason = (body.get("incomplete_details") or {}).get("reason", body["status"])
    said.finish = "tool_calls" if said.calls else _FINISH[reason]
    if usage := body["usage"]:
        said.prompt, said.completion = usage["input_tokens"], usage["output_tokens"]


def _responses_stream(raw: bytes) -> Said:
    """By the deltas alone: what the last event repeats is read as a whole answer elsewhere."""
    said, calls = Said(), _Calls()
    for event in objects(raw):
        match event:
            case {"type": "response.output_text.delta", "delta": text}:
                said.text += text
            case {"type": "response.reasoning_summary_text.delta" | "response.reasoning_text.delta", "delta": text}:
                said.reasoning += text
            case {"type": "response.output_item.added", "output_index": index, "item": {"type": "function_call"}}:
                calls.add(index, event["item"]["name"])
            case {"type": "response.function_call_arguments.delta", "output_index": index, "delta": part}:
                calls.add(index, arguments=part)
            case {"type": "response.completed" | "response.incomplete", "response": response}:
                said.calls = calls.read()
                _responses_end(said, response)
    return said


def _gemini(body: dict[str, Any]) -> Said:
    return _gemini_chunks([body])


def _gemini_stream(raw: bytes) -> Said:
    return _gemini_chunks(objects(raw))


def _gemini_chunks(chunks: Any) -> Said:
    said = Said()
    for chunk in chunks:
        for candidate in chunk.get("candidates", [])[:1]:
            for part in candidate.get("content", {}).get("parts", ()):
                _gemini_part(said, part)
            said.finish = _FINISH.get(candidate.get("finishReason"), said.finish)
        if "totalTokenCount" in (usage := chunk.get("usageMetadata", {})):
            said.prompt = usage.get("promptTokenCount", 0) + usage.get("toolUsePromptTokenCount", 0)
            said.completion = usage["totalTokenCount"] - said.prompt
    if said.calls and said.finish == "stop":
        said.finish = "tool_calls"
    return said


def _gemini_part(said: Said, part: dict[str, Any]) -> None:
    if "functionCall" in part:
        said.calls.append((part["functionCall"]["name"], part["functionCall"].get("args", {})))
    elif part.get("thought"):
        said.reasoning += part.get("text", "")
    else:
        said.text += part.get("text", "")


def _converse(body: dict[str, Any]) -> Said:
    said = Said()
    for block in body["output"]["message"]["content"]:
        match block:
            case {"text": text}:
                said.text += text
            case {"reasoningContent": {"reasoningText": {"text": text}}}:
                said.reasoning += text
            case {"toolUse": {"name": name, "input": given}}:
                said.calls.append((name, given))
    said.finish = _FINISH[body["stopReason"]]
    _converse_usage(said, body["usage"])
    return said


def _converse_usage(said: Said, usage: dict[str, Any]) -> None:
    names = ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    said.prompt = sum(usage.get(name, 0) for name in names)
    said.completion = usage["outputTokens"]


def _converse_stream(raw: bytes) -> Said:
    said, calls = Said(), _Calls()
    for event in objects(raw):
        match event:
            case {"contentBlockIndex": index, "start": {"toolUse": {"name": name}}}:
                calls.add(index, name)
            case {"contentBlockIndex": index, "delta": {"toolUse": {"input": part}}}:
                calls.add(index, arguments=part)
            case {"delta": {"reasoningContent": {"text": text}}}:
                said.reasoning += text
            case {"delta": {"text": text}}:
                said.text += text
            case {"stopReason": reason}:
                said.finish = _FINISH[reason]
            case {"usage": usage}:
                _converse_usage(said, usage)
    said.calls = calls.read()
    return said


def _cohere(body: dict[str, Any]) -> Said:
    message = body["message"]
    said = Said(finish=_FINISH[body["finish_reason"]])
    for part in message.get("content") or ():
        said.text += part.get("text", "")
        said.reasoning += part.get("thinking", "")
    said.text += message.get("tool_plan", "")
    for call in message.get("tool_calls") or ():
        said.calls.append((call["function"]["name"], json.loads(call["function"]["arguments"])))
    _cohere_usage(said, body["usage"])
    return said


def _cohere_usage(said: Said, usage: dict[str, Any]) -> None:
    said.prompt, said.completion = usage["billed_units"]["input_tokens"], usage["billed_units"]["output_tokens"]


def _cohere_stream(raw: bytes) -> Said:
    said, calls = Said(), _Calls()
    for event in objects(raw):
        index, message = event.get("index"), event.get("delta", {}).get("message", {})
        match message:
            case {"content": dict(content)}:
                said.text += str(content.get("text", ""))
                said.reasoning += str(content.get("thinking", ""))
            case {"tool_plan": plan}:
                said.text += plan
            case {"tool_calls": {"function": function}}:
                calls.add(index, function.get("name", ""), function.get("arguments", ""))
        if event["type"] == "message-end":
            said.finish = _FINISH[event["delta"]["finish_reason"]]
            _cohere_usage(said, event["delta"]["usage"])
    said.calls = calls.read()
    return said


_READERS: dict[str, tuple[Callable[[dict[str, Any]], Said], Callable[[bytes], Said]]] = {
    "anthropic-messages": (_messages, _messages_stream),
    "bedrock-converse": (_converse, _converse_stream),
    "cohere-chat": (_cohere, _cohere_stream),
    "gemini-generate": (_gemini, _gemini_stream),
    "mistral-chat": (_chat, _chat_stream),
    "openai-chat": (_chat, _chat_stream),
    "openai-responses": (_responses, _responses_stream),
}


def last_report(raw: bytes) -> dict[str, Any]:
    """The usage that the complete events of `raw` report, the last value of each field; {} for none."""
    found: dict[str, Any] = {}
    for report in _reports(raw):
        found |= {name: count for name, count in report.items() if count is not None}
    return found


def _reports(raw: bytes) -> Iterator[dict[str, Any]]:
    for event in events(raw):
        whole = event.endswith((b"\n\n", b"\r\n\r\n"))
        value = (data_of(event) if whole else None) or {}
        places = (
            value,
            value.get("message", {}),
            value.get("x_groq", {}),
            value.get("response", {}),
            value.get("delta", {}),
        )
        for place in places:
            if isinstance(place, dict) and (report := place.get("usage") or place.get("usageMetadata")):
                yield report
