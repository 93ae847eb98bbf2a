"""What the Cloud API's errors mean for a message.

Meta: build on `error.code`, not on the HTTP status (400 or 429 for the same
throttling code, by age of the endpoint) and not on the title.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Act(StrEnum):
    """What is done about a failed call."""

    RETRY = "retry"  # spends an attempt; not before the floor
    DEAD = "dead"  # this message can never succeed as it is
    TEMPLATE = "template"  # the 24 h window is shut: again as a template, else dead
    CHANNEL = "channel"  # the account is broken: dead, and the others are parked
    RECIPIENT = "recipient"  # dead, and nothing more goes to this recipient
    AMBIGUOUS = "ambiguous"  # it may have been sent


@dataclass(frozen=True, slots=True)
class Rule:
    """What one error code asks for."""

    act: Act
    floor: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendFailure:
    """One failed call, as far as it could be understood.

    `http_status` is 0 if no answer came; `code` is None without a readable error
    body. `wait`: how long the other side asks us to stay away.
    """

    http_status: int
    code: int | None = None
    detail: str = ""
    wait: timedelta = timedelta(0)
    ambiguous: bool = False  # the request may have been processed

    @property
    def name(self) -> str:
        """A short code for records: Meta's, else the HTTP status, else `network`."""
        if self.code is not None:
            return str(self.code)
        return f"http_{self.http_status}" if self.http_status else "network"


RETRY = Rule(Act.RETRY)
DEAD = Rule(Act.DEAD)
CHANNEL = Rule(Act.CHANNEL)
RECIPIENT = Rule(Act.RECIPIENT)
MINUTE = Rule(Act.RETRY, timedelta(minutes=1))

RULES: dict[int, Rule] = {
    # throttling
    4: MINUTE,
    80007: MINUTE,
    131057: MINUTE,  # the number's throughput is being upgraded
    130429: Rule(Act.RETRY, timedelta(seconds=1)),
    131056: Rule(Act.RETRY, timedelta(seconds=6)),  # pair rate
    # passing trouble
    **dict.fromkeys((1, 2, 131000, 131016, 133004), RETRY),
    # credentials, account, billing, spam flags
    **dict.fromkeys((0, 3, 10, 33, 190, 368, 131005, 131031, 131037), CHANNEL),
    **dict.fromkeys((131042, 131045, 131048, 131064, 133010, 133016), CHANNEL),
    # the recipient: not on WhatsApp; has opted out
    **dict.fromkeys((131026, 131050), RECIPIENT),
    # the 24 h window
    131047: Rule(Act.TEMPLATE),
    # this message to this recipient
    **dict.fromkeys((131021, 131030, 131049, 131062, 130472, 130497, 137000), DEAD),
    # the request or its template
    **dict.fromkeys((100, 131008, 131009, 131051, 131052, 131053, 131063), DEAD),
    **dict.fromkeys((135000, 132000, 132001, 132005, 132007, 132008, 132012), DEAD),
    **dict.fromkeys((132015, 132016, 132018, 132068, 132069), DEAD),
}

OPTED_OUT = 131050
NEEDS_A_PERSON = frozenset({368, 131031, 131048})  # channel errors not to be probed


def classify(failure: SendFailure) -> Rule:
    """Return the rule for a failed call: by code; by HTTP status if there is none."""
    if failure.ambiguous:
        return Rule(Act.AMBIGUOUS)
    code, status = failure.code, failure.http_status
    if code is not None:
        if 200 <= code <= 299:  # missing permissions
            return CHANNEL
        if code in RULES:
            return RULES[code]
    elif status in {502, 504}:  # a gateway spoke, not the API
        return Rule(Act.AMBIGUOUS)
    if status in {0, 429} or status >= 500:
        return RETRY
    if status in {401, 403}:
        return CHANNEL
    return DEAD  # an unknown 4xx: do not hammer
