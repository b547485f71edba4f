"""Errors of the Responses dialect: OpenAI's shape, the codes of a failed response, the event inside a stream."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from costspan.dialects import openai_errors
from costspan.errors import Category
from costspan.ir import events
from costspan.wire import json, sse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costspan.dialects.types import ErrorAnswer, ErrorReport

# `openai.types.responses.ResponseError.code` 3.54.0, read 2026-11-25; the categories are ours.
_BY_CODE: Final[Mapping[str, Category]] = MappingProxyType(
    {
        "invalid_prompt": Category.CONTENT_FILTER,  # "flagged as potentially violating our usage policy"
        "bio_policy": Category.CONTENT_FILTER,
        "misalignment_policy_violation": Category.CONTENT_FILTER,
        "image_content_policy_violation": Category.CONTENT_FILTER,
        "vector_store_timeout": Category.TIMEOUT,
        "data_residency_mismatch": Category.INVALID_REQUEST,
        "invalid_image": Category.INVALID_REQUEST,
        "invalid_image_format": Category.INVALID_REQUEST,
        "invalid_base64_image": Category.INVALID_REQUEST,
        "invalid_image_url": Category.INVALID_REQUEST,
        "image_too_large": Category.INVALID_REQUEST,
        "image_too_small": Category.INVALID_REQUEST,
        "image_parse_error": Category.INVALID_REQUEST,
        "invalid_image_mode": Category.INVALID_REQUEST,
        "image_file_too_large": Category.INVALID_REQUEST,
        "unsupported_image_media_type": Category.INVALID_REQUEST,
        "empty_image_file": Category.INVALID_REQUEST,
        "failed_to_download_image": Category.INVALID_REQUEST,
        "image_file_not_found": Category.INVALID_REQUEST,
    }
)

encode_error = openai_errors.encode_error


def decode_error(status: int, body: bytes) -> ErrorReport:
    """Understand an upstream's error answer, whatever its bytes."""
    return _categorized(openai_errors.decode_error(status, body))


def failure(value: json.Object) -> events.Failed:
    """What a stream's event reports: `error`, flat or with the error inside, or a response that has failed."""
    if not isinstance(value.get("error"), dict | str):
        value = {name: field for name, field in value.items() if name != "type"}
    report = _categorized(openai_errors.report(value, None))
    return events.Failed(report.message, str(report.category), report.code)


def _categorized(report: ErrorReport) -> ErrorReport:
    category = _BY_CODE.get(report.code or "")
    return report if category is None else replace(report, category=category)


def encode_stream_error(error: ErrorAnswer) -> bytes:
    """The event that ends a stream that had begun.

    The SDK's type of it is flat; its `Stream` raises on an inner `error`, as OpenAI's own server sends it. So both.
    How many events came before is not known here, and no client counts after an error.
    """
    inner = json.loads_object(encode_error(error))["error"]
    event: json.Object = {
        "type": "error",
        "code": error.code,
        "message": error.message,
        "param": error.param,
        "sequence_number": 0,
        "error": inner,
    }
    return sse.write(json.dumps(event), "error")
