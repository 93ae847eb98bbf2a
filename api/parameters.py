"""Path and query parameters, checked to the letter."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from api.problems import Code, Problem

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._~:@-]{0,254}$"
MAX_QUERY_FIELDS = 20
CURSOR_PATTERN = r"^[A-Za-z0-9_-]{1,1024}$"

_ID = re.compile(ID_PATTERN[1:-1])
_DIGITS = re.compile(r"[0-9]{1,9}")
_CURSOR = re.compile(CURSOR_PATTERN[1:-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryParameter:
    """One query parameter of a route and what it accepts.

    `choices` makes it an enumeration; `minimum`/`maximum` an integer; `text` any text
    of at most so many characters; none of these, a cursor.
    """

    name: str
    description: str
    default: str | int | None = None
    required: bool = False
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    text: int | None = None

    def parse(self, text: str) -> str | int:
        """Return the value. Raises Problem (400)."""
        if self.choices:
            if text not in self.choices:
                one_of = f"must be one of {', '.join(self.choices)}"
                raise self._bad(one_of)
            return text
        if self.minimum is not None and self.maximum is not None:
            between = f"must be an integer from {self.minimum} to {self.maximum}"
            if not _DIGITS.fullmatch(text):
                raise self._bad(between)
            if not self.minimum <= int(text) <= self.maximum:
                raise self._bad(between)
            return int(text)
        if self.text is not None:
            if not 1 <= len(text) <= self.text or not text.isprintable():
                short = f"must be printable text of 1 to {self.text} characters"
                raise self._bad(short)
            return text
        if not _CURSOR.fullmatch(text):
            foreign = "is not a cursor of this API"
            raise self._bad(foreign)
        return text

    def _bad(self, why: str) -> Problem:
        return Problem(Code.BAD_PARAMETER, f"The parameter {self.name!r} {why}.")


def path_ids(given: Mapping[str, str]) -> dict[str, str]:
    """Check the ids of a path.

    Raises:
        Problem: 404 for an empty one, 400 for one that no id can look like.
    """
    for name, value in given.items():
        if not value:
            raise Problem(Code.NOT_FOUND, "There is nothing at this path.")
        if not _ID.fullmatch(value):
            msg = f"The {name} in the path does not match {ID_PATTERN}"
            raise Problem(Code.BAD_ID, msg)
    return dict(given)


def query_values(text: str, known: Sequence[QueryParameter]) -> dict[str, Any]:
    """Parse a query string; every known parameter is in the answer.

    Raises:
        Problem: 400 for what is unknown, given twice, missing or malformed.
    """
    given: dict[str, str] = {}
    try:
        pairs = (
            parse_qsl(
                text,
                keep_blank_values=True,
                strict_parsing=True,
                errors="strict",
                max_num_fields=MAX_QUERY_FIELDS,
            )
            if text
            else []
        )
    except ValueError:
        raise Problem(Code.BAD_PARAMETER, "The query string is malformed.") from None
    names = {parameter.name for parameter in known}
    for name, value in pairs:
        if name not in names:
            allowed = ", ".join(sorted(names)) or "none"
            msg = f"Unknown query parameter; this route knows: {allowed}."
            raise Problem(Code.BAD_PARAMETER, msg)
        if name in given:
            raise Problem(Code.BAD_PARAMETER, f"The parameter {name!r} is given twice.")
        given[name] = value
    values: dict[str, Any] = {}
    for parameter in known:
        if parameter.name in given:
            values[parameter.name] = parameter.parse(given[parameter.name])
        elif parameter.required:
            msg = f"The parameter {parameter.name!r} is missing."
            raise Problem(Code.BAD_PARAMETER, msg)
        else:
            values[parameter.name] = parameter.default
    return values


LIMIT = QueryParameter(
    name="limit", description="Size of the page.", default=50, minimum=1, maximum=500
)
CURSOR = QueryParameter(
    name="cursor", description="`meta.nextCursor` of the page before."
)
