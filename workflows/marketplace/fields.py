"""Field types that the marketplace's payloads share."""

from typing import Annotated, Literal

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

MOBILE_TYPES = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})


def to_e164(value: object, region: str = "NP") -> str:
    """Normalise a mobile number to E.164, such as `+9779841234567`.

    Accepts national and international spelling, spaces, dashes, Devanagari digits.

    Raises:
        ValueError: not a string, not a valid number, or not a mobile number.
    """
    if not isinstance(value, str):
        # A JSON number has lost its plus and its leading zero already.
        msg = "a phone number must be a string"
        raise ValueError(msg)  # noqa: TRY004
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        msg = "not a phone number"
        raise ValueError(msg) from None
    if not phonenumbers.is_valid_number(number):
        msg = "not a valid phone number"
        raise ValueError(msg)
    if phonenumbers.number_type(number) not in MOBILE_TYPES:
        msg = "not a mobile number"
        raise ValueError(msg)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


Phone = Annotated[str, BeforeValidator(to_e164)]
EntityId = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,63}$")
]
DedupeKey = Annotated[
    str, StringConstraints(min_length=3, max_length=160, pattern=r"^[\x21-\x7e]+$")
]
BSUID_PATTERN = r"^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$"
Bsuid = Annotated[str, StringConstraints(pattern=BSUID_PATTERN)]
Name = Annotated[str, StringConstraints(max_length=64)]


class StrictModel(BaseModel):
    """camelCase and snake_case are both read; anything unknown is refused."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        str_strip_whitespace=True,
    )


class JobPayload(StrictModel):
    """What every payload carries; `v` is the version of its schema."""

    v: Literal[1] = 1
    trace_id: Name | None = None
    requested_by: Name = "system"
