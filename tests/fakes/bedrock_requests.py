"""Whether botocore would send a request to Bedrock: its own description of the service, as the AWS SDK reads it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

if TYPE_CHECKING:
    from collections.abc import Mapping


@cache
def _shape() -> Any:
    return ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2")).shape_for("ConverseRequest")


def problems(body: Mapping[str, Any]) -> str:
    """What botocore finds wrong with a request's body; empty where it would send it."""
    report: str = ParamValidator().validate(dict(body) | {"modelId": "m"}, _shape()).generate_report()
    return report
