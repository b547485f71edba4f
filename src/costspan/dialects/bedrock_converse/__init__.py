"""Amazon Bedrock's Converse and ConverseStream. https://docs.aws.amazon.com/bedrock/latest/APIReference.

No client speaks it. Its streams come in AWS's binary framing, which `wire.event_stream` makes into server-sent events.
"""

from __future__ import annotations

from urllib.parse import quote

from costspan.dialects.bedrock_converse.errors import decode_error
from costspan.dialects.bedrock_converse.reply import decode_reply, summarize
from costspan.dialects.bedrock_converse.request_encode import encode_request
from costspan.dialects.bedrock_converse.stream import MARKERS, new_decoder
from costspan.dialects.bedrock_converse.usage import read_usage
from costspan.dialects.bedrock_converse.vocabulary import NAME

OPERATION = "chat"
MODEL_IN_BODY = False

__all__ = [
    "MARKERS",
    "MODEL_IN_BODY",
    "NAME",
    "OPERATION",
    "decode_error",
    "decode_reply",
    "encode_request",
    "new_decoder",
    "path",
    "read_usage",
    "summarize",
]


def path(model: str, *, stream: bool) -> str:
    """Where it is served, below a region's address. Percent-encoded as botocore does it: colons and slashes too."""
    return f"/model/{quote(model, safe='-._~')}/{'converse-stream' if stream else 'converse'}"
