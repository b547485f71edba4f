"""Fields that are wrong, by the paths where they are: changes of a good request, and the code that names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fakes.surfaces import ALL, CHAT, CONTENTS, COUNTS, PASSED, TALK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fakes.surfaces import Surface

    Wrong = tuple[dict[str, Any], str, Sequence[Surface]]


def these(*names: str) -> list[Surface]:
    """Paths by name."""
    found = [surface for surface in ALL if surface.name in names]
    assert len(found) == len(names)
    return found


def talk(*messages: Any) -> dict[str, Any]:
    return {"messages": list(messages)}


def contents(*turns: Any) -> dict[str, Any]:
    return {"contents": list(turns)}


IN_BODY = [surface for surface in ALL if not surface.names_model]
OPENAI = these("chat completions")
ANTHROPIC = these("messages")
MESSAGES = these("chat completions", "messages", "count_tokens")
TALKS = these("chat completions", "messages")
RESPONSES = these("responses")
GOOGLE = [surface for surface in (*CHAT, *COUNTS) if surface.names_model]
FLAGGED = [*these("chat completions", "responses", "messages"), *PASSED]
"""Whose body says whether to stream."""
BATCH, EMBED = these("batchEmbedContents"), these("embedContent")
COUNTED = these("completions", "images", "image edits")
MODELS: Mapping[str, Any] = {
    "null": None,
    "a number": 5,
    "empty": "",
    "an object": {"a": "chat"},
    "a list": ["chat"],
    "of 10 KiB": "canary" * 1700,
    "of two lines": "chat\ncanary",
    "with NUL": "chat\0",
    "with an escape sequence": "\x1b[31mcanary",
    "with a line separator": "chat\u2028",
    "with a direction override": "chat\u202ecanary",
}
DESTINATIONS: Mapping[str, Any] = {
    "api_base": "http://canary.example",
    "base_url": "http://canary.example",
    "api_key": "sk-canary",
    "custom_llm_provider": "canary",
    "extra_headers": {"x": "canary"},
}
NO_CONTENT: Mapping[str, Any] = {"nothing": ..., "null": None, "text": "canary", "no parts": {}}

BAD: dict[str, Wrong] = {
    "59: no model": ({"model": ...}, "missing_model", IN_BODY),
    **{f"59: model {name}": ({"model": value}, "missing_model", IN_BODY) for name, value in MODELS.items()},
    "60: no messages": ({"messages": ...}, "invalid_messages", MESSAGES),
    "60: messages null": ({"messages": None}, "invalid_messages", MESSAGES),
    "60: messages empty": ({"messages": []}, "invalid_messages", MESSAGES),
    "60: messages a string": ({"messages": "canary"}, "invalid_messages", MESSAGES),
    "60: messages an object": ({"messages": {"role": "user", "content": "canary"}}, "invalid_messages", MESSAGES),
    "60: 100 001 messages": ({"messages": TALK * 100_001}, "invalid_messages", TALKS),
    "60: an unknown role": (talk({"role": "canary", "content": "a"}), "invalid_messages", MESSAGES),
    "60: a role that is a list": (talk({"role": ["user"], "content": "a"}), "invalid_messages", MESSAGES),
    "60: a role that is an object": (talk({"role": {"a": 1}, "content": "a"}), "invalid_messages", MESSAGES),
    "60: content null": (talk({"role": "user", "content": None}), "invalid_messages", MESSAGES),
    "60: no content": (talk({"role": "user"}), "invalid_messages", MESSAGES),
    "60: content a number": (talk({"role": "user", "content": 5}), "invalid_messages", MESSAGES),
    "60: a message that is text": (talk("canary"), "invalid_messages", MESSAGES),
    "60: a message that is null": (talk(None), "invalid_messages", MESSAGES),
    "60: a part that is text": (talk({"role": "user", "content": ["canary"]}), "invalid_messages", OPENAI),
    "60: a part without a type": (talk({"role": "user", "content": [{"text": "canary"}]}), "invalid_messages", OPENAI),
    **{
        f"60: input {name}": ({"input": value}, "invalid_messages", RESPONSES)
        for name, value in {
            "missing": ...,
            "null": None,
            "empty": "",
            "an empty list": [],
            "a number": 5,
            "an object": {"role": "user", "content": "canary"},
            "of texts": ["canary"],
            "of nulls": [None],
            "of lists": [["canary"]],
            "of 100 001 items": TALK * 100_001,
            "without a type or role": [{"content": "canary"}],
            "with an unknown role": [{"role": "canary", "content": "a"}],
            "with a role that is a list": [{"role": ["user"], "content": "a"}],
            "with a type that is a number": [{"type": 5}],
        }.items()
    },
    **{
        f"60: contents {name}": ({"contents": value}, "invalid_messages", GOOGLE)
        for name, value in {
            "missing": ...,
            "null": None,
            "empty": [],
            "text": "canary",
            "an object": {"role": "user", "parts": [{"text": "canary"}]},
            "of texts": ["canary"],
            "of nulls": [None],
            "with an unknown role": [{"role": "canary", "parts": []}],
            "with a role that is a list": [{"role": ["user"], "parts": []}],
            "without parts": [{"role": "user"}],
            "with parts that are text": [{"role": "user", "parts": "canary"}],
            "with parts of texts": [{"role": "user", "parts": ["canary"]}],
            "with parts of nulls": [{"role": "user", "parts": [None]}],
        }.items()
    },
    "61: stream a string": ({"stream": "canary"}, "invalid_type", FLAGGED),
    "61: stream a number": ({"stream": 1}, "invalid_type", FLAGGED),
    "61: stream an object": ({"stream": {}}, "invalid_type", FLAGGED),
    **{
        f"62: max_tokens {value!r}": (
            {"max_tokens": value},
            "invalid_value",
            TALKS if value != 0 else OPENAI,  # Anthropic takes 0: it fills the prompt cache and answers nothing
        )
        for value in (-1, 0, 1.5, 2**63, 1e30, "10", True, [9])
    },
    **{
        f"62: max_output_tokens {value!r}": ({"max_output_tokens": value}, "invalid_value", RESPONSES)
        for value in (-1, 0, 1.5, 2**63, 1e30, "10", True, [9])
    },
    **{
        f"62: maxOutputTokens {value!r}": ({"generationConfig": {"maxOutputTokens": value}}, "invalid_value", GOOGLE)
        for value in (-1, 0, 1.5, 2**63, 1e30, "canary", True, [9])
    },
    "62: no max_tokens": ({"max_tokens": ...}, "invalid_value", ANTHROPIC),
    "62: max_completion_tokens": ({"max_completion_tokens": 0}, "invalid_value", OPENAI),
    "62: tokens of a completion": ({"max_tokens": -1}, "invalid_value", these("completions")),
    "63: temperature text": ({"temperature": "hot"}, "invalid_value", [*TALKS, *RESPONSES]),
    "63: temperature true": ({"temperature": True}, "invalid_value", [*TALKS, *RESPONSES]),
    "63: Google's temperature": ({"generationConfig": {"temperature": "canary"}}, "invalid_value", GOOGLE),
    "63: a million choices": ({"n": 1_000_000}, "invalid_value", [*OPENAI, *COUNTED]),
    "63: no choice": ({"n": 0}, "invalid_value", [*OPENAI, *COUNTED]),
    "63: a word of choices": ({"n": "canary"}, "invalid_value", COUNTED),
    "63: a million candidates": ({"generationConfig": {"candidateCount": 1_000_000}}, "invalid_value", GOOGLE),
    "63: a configuration that is text": ({"generationConfig": "canary"}, "invalid_type", GOOGLE),
    "67: tools an object": ({"tools": {"canary": 1}}, "invalid_type", [*OPENAI, *RESPONSES, *GOOGLE]),
    **{f"65: {name}": ({name: value}, "forbidden_parameter", ALL) for name, value in DESTINATIONS.items()},
    "65: api_base beside a request to count": (
        {"api_base": "http://canary.example", "generateContentRequest": {"contents": CONTENTS}},
        "forbidden_parameter",
        these("countTokens"),
    ),
    **{
        f"embeddings of {name}": ({"input": value}, "invalid_value", these("embeddings"))
        for name, value in {"nothing": ..., "null": None, "a number": 5, "an object": {"canary": 1}}.items()
    },
    "embeddings of no list": ({"input": []}, "invalid_value", these("embeddings")),
    "embeddings of nulls": ({"input": [None, "canary"]}, "invalid_value", these("embeddings")),
    "embeddings of broken token ids": ({"input": [1.5, "canary"]}, "invalid_value", these("embeddings")),
    "dimensions 0": ({"dimensions": 0}, "invalid_value", these("embeddings")),
    "dimensions text": ({"dimensions": "canary"}, "invalid_value", these("embeddings")),
    "an unknown format of vectors": ({"encoding_format": "canary"}, "invalid_value", these("embeddings")),
    **{
        f"Google's embedding of {name}": ({"content": value}, "invalid_value", EMBED)
        for name, value in NO_CONTENT.items()
    },
    **{
        f"a batch of {name}": ({"requests": value}, "invalid_value", BATCH)
        for name, value in {"nothing": ..., "null": None, "none": [], "text": "canary", "nulls": [None]}.items()
    },
    "a prompt that is an object": ({"prompt": {"canary": 1}}, "invalid_value", these("completions")),
    "a prompt of mixed kinds": ({"prompt": ["canary", 5]}, "invalid_value", these("completions")),
    "a prompt of a picture that is a list": ({"prompt": ["canary"]}, "invalid_type", these("images", "image edits")),
    "something to say that is a list": ({"input": ["canary"]}, "invalid_type", these("speech")),
    "nothing to say": ({"input": ...}, "invalid_type", these("speech")),
    "a format of the stream that is a number": ({"stream_format": 5}, "invalid_type", these("speech")),
    "nothing to moderate": ({"input": None}, "invalid_value", these("moderations")),
    "a number to moderate": ({"input": 5}, "invalid_value", these("moderations")),
    "no documents": ({"documents": []}, "invalid_value", these("rerank")),
    "documents that are text": ({"documents": "canary"}, "invalid_value", these("rerank")),
    "documents that are numbers": ({"documents": [5]}, "invalid_value", these("rerank")),
    "a query that is a list": ({"query": ["canary"]}, "invalid_type", these("rerank")),
}
