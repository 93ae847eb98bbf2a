"""The stored form of events and Temporal's JSON of them."""

from typing import Any

import pytest

from workflows.engine.events import EventType, attributes_key
from workflows.engine.history import (
    Event,
    decode_event,
    encode_event,
    from_temporal_json,
    to_temporal_json,
)
from workflows.engine.proto_json import span, span_ms, timestamp, timestamp_ms
from workflows.exceptions import InvalidArgumentError

TIMER = {
    "eventId": "1",
    "eventTime": "2026-11-24T08:39:59.225Z",
    "eventType": "EVENT_TYPE_TIMER_STARTED",
    "userMetadata": {"summary": {"data": "IngI"}},
    "timerStartedEventAttributes": {"timerId": "1", "startToFireTimeout": "1.500s"},
}


def test_an_event_is_stored_as_a_short_list() -> None:
    event = Event(EventType.TIMER_FIRED, 5, {"timerId": "1"})
    assert encode_event(event).startswith(b'["TIMER_FIRED",5,{"timerId":"1"}')
    assert decode_event(encode_event(event)) == event


def test_a_history_keeps_what_stands_beside_the_attributes() -> None:
    stored = from_temporal_json({"events": [TIMER]})
    assert to_temporal_json(stored) == {"events": [TIMER]}
    assert to_temporal_json(stored, first_id=7)["events"][0]["eventId"] == "7"


@pytest.mark.parametrize(
    ("history", "says"),
    [
        ({}, "list of events"),
        (
            {"events": [{**TIMER, "eventId": "2"}]},
            "event 1 of the history has the id 2",
        ),
        (
            {"events": [{**TIMER, "eventType": "EVENT_TYPE_X"}]},
            "event 1 of the history",
        ),
        ({"events": [{**TIMER, "eventTime": "noon"}]}, "'noon' is not a time"),
        ({"events": ["x"]}, "event 1 of the history"),
    ],
)
def test_what_is_no_history_is_refused_with_its_place(
    history: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=says):
        from_temporal_json(history)


def test_what_is_no_stored_event_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="not a stored history event"):
        decode_event(b'["NOTHING",1,{}]')


def test_every_type_has_temporals_key_for_its_attributes() -> None:
    key = attributes_key(EventType.WORKFLOW_EXECUTION_CONTINUED_AS_NEW)
    assert key == "workflowExecutionContinuedAsNewEventAttributes"
    assert len(EventType) >= 40


@pytest.mark.parametrize(
    ("ms", "text"), [(0, "0s"), (10_000, "10s"), (500, "0.500s"), (-1500, "-1.500s")]
)
def test_spans_are_written_as_protobuf_does(ms: int, text: str) -> None:
    assert span(ms) == text
    assert span_ms(text) == (ms or None)


def test_times_are_cut_to_milliseconds() -> None:
    assert timestamp_ms("2026-11-24T08:39:59.225762293Z") % 1000 == 225
    assert timestamp(timestamp_ms("2026-11-24T08:39:59Z")) == "2026-11-24T08:39:59Z"
    assert span_ms("0.980889892s") == 980
