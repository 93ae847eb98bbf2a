"""What all shapes are made of: times, ids, bodies, views."""

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from api.parameters import ID_PATTERN

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_TIME_MS = 253_402_300_799_999  # the end of the year 9999
MAX_SPAN_MS = 100 * 366 * 24 * 3600 * 1000  # a hundred years
_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def format_time(at: int) -> str:
    """Return a time (ms since the epoch) as RFC 3339 UTC with ms.

    RFC 3339 ends with the year 9999: what is later shows as its last moment.
    """
    moment = EPOCH + timedelta(milliseconds=min(at, MAX_TIME_MS))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: object) -> int:
    """Return an RFC 3339 time with offset as ms since the epoch.

    Raises:
        ValueError: it is something else, or there is no such time.
    """
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        msg = "must be an RFC 3339 time with an offset"
        raise ValueError(msg)
    try:
        moment = datetime.fromisoformat(text.upper())
        return (moment - EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        msg = "there is no such time"
        raise ValueError(msg) from None


def to_json(data: bytes | None) -> Any:
    """Return stored JSON as a value; what is not JSON as `{"$base64": …}`."""
    if not data:
        return None
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {"$base64": base64.b64encode(data).decode()}


TimeOut = Annotated[
    int,
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
TimeIn = Annotated[
    int,
    BeforeValidator(parse_time),
    Field(ge=0, le=MAX_TIME_MS),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Id = Annotated[str, Field(pattern=ID_PATTERN)]
Span = Annotated[int, Field(ge=0, le=MAX_SPAN_MS)]
Json = Annotated[Any, WithJsonSchema({"description": "Any JSON value."})]


class Body(BaseModel):
    """A request body: no other fields, no conversion between types."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, hide_input_in_errors=True
    )


class View(BaseModel):
    """What the API answers, in camelCase. New fields may appear at any time."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True
    )
