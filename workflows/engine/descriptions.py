"""Events and commands in a few words, for people."""

from collections.abc import Mapping
from typing import Any

from workflows.engine.events import EventType as E
from workflows.engine.history import Event
from workflows.engine.markers import local_outcome, patch_of
from workflows.engine.outgoing import Outgoing
from workflows.engine.proto_json import timestamp

AROUND = 3  # events shown before and behind the place
ABOUT = ("scheduledEventId", "initiatedEventId", "startedEventId")  # the first counts


def describe_event(event: Event) -> str:
    """Return the kind of an event and what it is about."""
    patch = patch_of(event)
    if patch is not None:
        return f"{event.type} patch {patch[0]!r}"
    local = local_outcome(event)
    if local is not None:
        return f"{event.type} local activity {local[1]} ({local[0].seq})"
    return _with_details(event.type, event.attributes)


def describe_command(out: Outgoing) -> str:
    """Return the same of a command, as the event that it would become."""
    return describe_event(Event(out.type, 0, out.attributes()))


def event_lines(events: Mapping[int, Event], event_id: int) -> list[str]:
    """Return the events around a place, one a line, that one marked."""
    return [
        f"{'>' if number == event_id else ' '} {number:>5} {timestamp(event.at)}"
        f" {describe_event(event)}"
        for number, event in sorted(events.items())
        if abs(number - event_id) <= AROUND
    ]


def _with_details(kind: E, said: Mapping[str, Any]) -> str:
    names = [
        said[key]["name"]
        for key in ("activityType", "workflowType")
        if key in said and "name" in said[key]
    ]
    details = [
        f"{label} {said[key]!r}"
        for key, label in (
            ("activityId", "id"),
            ("workflowId", "workflow id"),
            ("timerId", "timer"),
            ("startToFireTimeout", "after"),
            ("signalName", "signal"),
        )
        if key in said
    ]
    details += [f"of event {said[key]}" for key in ABOUT if key in said][:1]
    return " ".join([kind, *names, *([f"({', '.join(details)})"] if details else [])])
