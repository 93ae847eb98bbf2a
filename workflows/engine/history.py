"""A run's history: how an event is stored, and Temporal's JSON of a history.

Stored is compact JSON, `[type, ms, attributes]`; an event's id is its place, from 1.
The attributes are Temporal's, in Protobuf's JSON (camelCase, ids as strings, spans as
"1.500s"), so that an export only wraps them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from workflows.engine.events import EventType, attributes_key
from workflows.engine.proto_json import timestamp, timestamp_ms
from workflows.exceptions import InvalidArgumentError

PREFIX = "EVENT_TYPE_"
OF_THE_SERVER = ("eventId", "eventTime", "eventType", "taskId", "version")


class Event(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One event: what happened and when (ms).

    `extra` holds what stands beside the attributes in Temporal's JSON: userMetadata
    (the summary of a timer, an activity, a child), links.
    """

    type: EventType
    at: int
    attributes: dict[str, Any] = {}
    extra: dict[str, Any] = {}

    def id_of(self, name: str) -> int:
        """Return an attribute that is the id of an event; 0 if it is not there."""
        return int(self.attributes.get(name, 0))


encode_event: Callable[[Event], bytes] = msgspec.json.Encoder().encode
"""Returns the stored form."""
_decoder = msgspec.json.Decoder(Event)


def decode_event(data: bytes) -> Event:
    """Read the stored form.

    Raises:
        InvalidArgumentError: it is something else.
    """
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        msg = f"not a stored history event: {error}"
        raise InvalidArgumentError(msg) from None


def to_temporal_json(events: Iterable[bytes], first_id: int = 1) -> dict[str, Any]:
    """Return `{"events": […]}` as temporalio's `WorkflowHistory.to_json_dict` does.

    `first_id`: the id of the first event that is given.
    """
    decoded = map(decode_event, events)
    return {"events": [_to_json(one, n) for n, one in enumerate(decoded, first_id)]}


def _to_json(event: Event, event_id: int) -> dict[str, Any]:
    return {
        "eventId": str(event_id),
        "eventTime": timestamp(event.at),
        "eventType": PREFIX + event.type,
        **event.extra,
        attributes_key(event.type): event.attributes,
    }


def from_temporal_json(history: Mapping[str, Any]) -> tuple[bytes, ...]:
    """Read what `to_temporal_json` or Temporal's SDK or CLI wrote.

    Times are cut to milliseconds.

    Raises:
        InvalidArgumentError: no history, ids that are not 1, 2, 3 …, or an event type
            that is not known here.
    """
    found = history.get("events")
    if not isinstance(found, Sequence) or isinstance(found, str):
        msg = "a history is an object with a list of events"
        raise InvalidArgumentError(msg)
    return tuple(
        encode_event(_from_json(one, place)) for place, one in enumerate(found, 1)
    )


def _from_json(event: Any, place: int) -> Event:
    try:
        if int(event["eventId"]) != place:
            msg = f"event {place} of the history has the id {event['eventId']}"
            raise InvalidArgumentError(msg)
        kind = EventType(event["eventType"].removeprefix(PREFIX))
        key = attributes_key(kind)
        extra = {
            name: value
            for name, value in event.items()
            if name not in OF_THE_SERVER and name != key
        }
        at, attributes = timestamp_ms(event["eventTime"]), dict(event.get(key, {}))
        return Event(kind, at, attributes, extra)
    except InvalidArgumentError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"event {place} of the history: {type(error).__name__}: {error}"
        raise InvalidArgumentError(msg) from None
