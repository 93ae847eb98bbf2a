"""Reads a bid that a supplier typed."""

import re
from dataclasses import dataclass

from workflows.marketplace.rules.money import PAISA_PER_RUPEE

_DEVANAGARI = str.maketrans("०१२३४५६७८९", "0123456789")
_MINUTES = {"m": 1, "h": 60, "d": 1440}
_BID = re.compile(
    r"""^\s*(?:bid|बोली)?\s*(?:npr|rs\.?|रु\.?)?\s*
        (?P<rupees>[0-9][0-9,]{0,14})(?:\.(?P<paisa>[0-9]{1,2}))?\s*(?:/-)?\s*
        (?:(?P<time>[0-9]{1,3})\s*(?P<unit>m|h|d)[a-z]*)?\s*$""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class TypedBid:
    """An amount, and in how many minutes the supplier says he delivers."""

    amount_paisa: int
    eta_minutes: int | None = None


def read_bid(text: str) -> TypedBid | None:
    """Read `BID 40,500 2h` or `बोली ४०,५००`; None if it is not clearly a bid."""
    found = _BID.match(text.translate(_DEVANAGARI))
    if found is None:
        return None
    rupees = int(found["rupees"].replace(",", ""))
    amount = rupees * PAISA_PER_RUPEE + int((found["paisa"] or "").ljust(2, "0"))
    if amount == 0:
        return None
    minutes = None
    if found["time"] is not None:
        minutes = int(found["time"]) * _MINUTES[found["unit"].lower()]
    return TypedBid(amount, minutes)
