"""Sections of the file that say what things cost. All rates are USD."""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from costspan.config.fields import Count, Day, Expanded, Label, Money, Section, Text

MOST_PER_MILLION = Decimal(1000)
"""The dearest model ever sold cost 600 USD per million output tokens (o1-pro, 2025-03): above is a slip of the unit."""

MOST_PER_UNIT = Decimal(1000)

_MINUTES_A_DAY = 24 * 60
_BAND = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")


def _rate(value: object) -> object:
    """Explain the usual slip, a price with its unit, before the general reason would."""
    if isinstance(value, str) and not isinstance(value, Expanded) and re.search(r"[$€£/A-Za-z]", value):
        raise ValueError("write the bare number, without currency or unit: prices are USD per million tokens")
    return value


def _per_million(rate: Decimal) -> Decimal:
    if rate > MOST_PER_MILLION:
        raise ValueError(
            f"more than {MOST_PER_MILLION} USD per million tokens: prices here are per million, "
            "not per token or per thousand in a smaller currency"
        )
    return rate


def _per_unit(rate: Decimal) -> Decimal:
    if rate > MOST_PER_UNIT:
        raise ValueError(f"more than {MOST_PER_UNIT} USD each: this price is per single unit, not per million")
    return rate


PerMillion = Annotated[Money, BeforeValidator(_rate), AfterValidator(_per_million), Label("USD per million")]
PerUnit = Annotated[Money, BeforeValidator(_rate), AfterValidator(_per_unit), Label("USD each")]


def _band(text: str) -> str:
    match = _BAND.fullmatch(text)
    if match is None or (match[3] == "24" and match[4] != "00"):
        raise ValueError('expected a span of UTC time such as "16:30-00:30"')
    if match[1] + match[2] == match[3] + match[4]:
        raise ValueError("the span is empty: it begins when it ends")
    return text


UtcSpan = Annotated[
    str,
    AfterValidator(_band),
    WithJsonSchema({"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$"}),
    Label("`HH:MM-HH:MM`"),
]


class Rates(Section):
    """What one unit of each bucket costs. 0 is a price; absent inherits (reasoning = output, cache_* = input)."""

    input: PerMillion | None = Field(default=None, description="fresh text input tokens")
    cache_read: PerMillion | None = Field(default=None, description="input tokens read from the prompt cache")
    cache_write: PerMillion | None = Field(default=None, description="input tokens written to the 5-minute cache")
    cache_write_1h: PerMillion | None = Field(default=None, description="input tokens written to the one-hour cache")
    input_audio: PerMillion | None = Field(default=None, description="audio input tokens")
    cache_read_audio: PerMillion | None = Field(default=None, description="audio input tokens read from the cache")
    input_image: PerMillion | None = Field(default=None, description="image input tokens")
    input_video: PerMillion | None = Field(default=None, description="video input tokens")
    output: PerMillion | None = Field(default=None, description="visible text output tokens")
    reasoning: PerMillion | None = Field(default=None, description="reasoning tokens")
    output_audio: PerMillion | None = Field(default=None, description="audio output tokens")
    output_image: PerMillion | None = Field(default=None, description="image output tokens")
    per_request: PerUnit | None = Field(default=None, description="each request")
    web_search: PerUnit | None = Field(default=None, description="each web search call")
    file_search: PerUnit | None = Field(default=None, description="each file search call")
    code_execution: PerUnit | None = Field(default=None, description="each code execution call")
    per_image: PerUnit | None = Field(default=None, description="each generated image")
    per_audio_second: PerUnit | None = Field(default=None, description="each second of audio")
    per_audio_minute: PerUnit | None = Field(default=None, description="each minute of audio, exact by the second")
    per_audio_hour: PerUnit | None = Field(default=None, description="each hour of audio, exact by the second")
    per_character: PerUnit | None = Field(default=None, description="each character of speech input")
    per_million_characters: PerUnit | None = Field(default=None, description="a million characters of speech input")
    per_page: PerUnit | None = Field(default=None, description="each page")
    per_search: PerUnit | None = Field(default=None, description="each rerank search")
    requests: PerUnit | None = Field(default=None, description="the same as `per_request`")
    web_search_calls: PerUnit | None = Field(default=None, description="the same as `web_search`")
    file_search_calls: PerUnit | None = Field(default=None, description="the same as `file_search`")
    code_execution_calls: PerUnit | None = Field(default=None, description="the same as `code_execution`")
    images: PerUnit | None = Field(default=None, description="the same as `per_image`")
    audio_seconds: PerUnit | None = Field(default=None, description="the same as `per_audio_second`")
    characters: PerUnit | None = Field(default=None, description="the same as `per_character`")
    pages: PerUnit | None = Field(default=None, description="the same as `per_page`")
    searches: PerUnit | None = Field(default=None, description="the same as `per_search`")


RATES = tuple(Rates.model_fields)
"""The names of all rates, in order."""

UNIT_OF: Mapping[str, str] = MappingProxyType(
    {
        "per_request": "requests",
        "web_search": "web_search_calls",
        "file_search": "file_search_calls",
        "code_execution": "code_execution_calls",
        "per_image": "images",
        "per_audio_second": "audio_seconds",
        "per_audio_minute": "audio_seconds",
        "per_audio_hour": "audio_seconds",
        "per_character": "characters",
        "per_million_characters": "characters",
        "per_page": "pages",
        "per_search": "searches",
    }
)
"""The unit that each word for a fee prices. A unit's own name may stand for the word, but only one of them."""


class PriceTier(Rates):
    """Rates of the whole request when its prompt, the cached part included, is strictly larger than `above`."""

    above: Count = Field(description="prompt tokens")


class ServiceTier(Rates):
    """Rates of one service tier: a multiplier on all of the row's rates, or rates of its own."""

    multiplier: Money | None = Field(default=None, description="factor on every rate of the row")
    tiers: tuple[PriceTier, ...] = Field(default=(), description="the service tier's own rates for long prompts")


class HourBand(Rates):
    """A part of each day: a factor on all of the row's rates, or rates of its own, in every tier."""

    utc: UtcSpan = Field(description="from, to (half-open) in UTC; may wrap midnight")
    multiplier: Money | None = Field(default=None, description="factor on every rate of the row")

    @property
    def minutes(self) -> tuple[int, int]:
        """Begin and end as minutes after midnight UTC; the end may be smaller than the begin."""
        begin, end = (int(clock[:2]) * 60 + int(clock[3:]) for clock in self.utc.split("-"))
        return begin, end % _MINUTES_A_DAY


class PriceRow(Rates):
    """The price of a model, or of all models that match a glob, from a date on."""

    provider: Text = Field(description="a provider's name in this file, or a kind (serves every provider of the kind)")
    model: Text = Field(description="model id, exact or glob")
    from_: Day | None = Field(default=None, alias="from", description="first day, UTC; absent: always")
    to: Day | None = Field(default=None, description="day after the last, UTC; absent: still")
    source: Text | None = Field(default=None, description="where and when the price was read, for people")
    tiers: tuple[PriceTier, ...] = Field(default=(), description="other rates for long prompts")
    service_tiers: dict[Text, ServiceTier] = Field(default={}, description="other rates by served service tier")
    hours: tuple[HourBand, ...] = Field(default=(), description="factors or other rates by time of day")
    least_audio_seconds: Count | None = Field(
        default=None, description="seconds of audio that a request is billed for at least"
    )
    source_line: SkipJsonSchema[str] = Field(default="", description="file:line of the row; set by the loader")

    def in_force(self, day: date) -> bool:
        """Whether the row holds on `day` (UTC)."""
        return (self.from_ is None or self.from_ <= day) and (self.to is None or day < self.to)


class Prices(Section):
    """What things cost: tables of this file and of others, then the built-in catalog."""

    catalog: Literal["genai-prices", "none"] = Field(
        default="genai-prices", description="built-in prices for what the tables do not know"
    )
    on_unpriced: Literal["allow", "reject"] = Field(
        default="allow", description="whether requests to targets without a price are served (and counted as unpriced)"
    )
    files: tuple[Text, ...] = Field(
        default=(),
        description="more tables: paths or globs relative to this file; each a list of rows, or `table:`",
    )
    table: tuple[PriceRow, ...] = Field(default=(), description="prices looked up before the catalog")


class PriceFile(Section):
    """A further file with prices."""

    table: tuple[PriceRow, ...] = Field(default=(), description="rows, as in `prices.table`")
