"""Inbox entries become events: when a workflow task takes them, and for readers before.

What an entry becomes depends on the history alone, so whoever reads an open run can be
shown the events of its inbox as the next workflow task will write them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from workflows.engine.events import EventType as E
from workflows.engine.history import Event, decode_event, encode_event
from workflows.engine.inbox import Item, Start, read_entry
from workflows.engine.machines import (
    Activity,
    Child,
    ExternalCancel,
    ExternalSignal,
    Machine,
    Timer,
)
from workflows.engine.pending import TARGETS

FindTarget = Callable[[Event], Machine | None]

BEGINS: dict[E, type[Machine]] = {
    E.ACTIVITY_TASK_SCHEDULED: Activity,
    E.TIMER_STARTED: Timer,
    E.START_CHILD_WORKFLOW_EXECUTION_INITIATED: Child,
    E.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: ExternalSignal,
    E.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: ExternalCancel,
}
GOES_ON = frozenset({E.ACTIVITY_TASK_STARTED, E.CHILD_WORKFLOW_EXECUTION_STARTED})
CHILD_ENDS = frozenset(
    {
        E.CHILD_WORKFLOW_EXECUTION_COMPLETED,
        E.CHILD_WORKFLOW_EXECUTION_FAILED,
        E.CHILD_WORKFLOW_EXECUTION_CANCELED,
        E.CHILD_WORKFLOW_EXECUTION_TIMED_OUT,
        E.CHILD_WORKFLOW_EXECUTION_TERMINATED,
    }
)


def events_of(
    item: Item, length: int, target_of: FindTarget, *, cancel_requested: bool
) -> Iterator[Event]:
    """Give the events of an entry, the first of which is event `length` + 1.

    None if what it is about is over, or a cancel was requested before.
    """
    said = read_entry(item.data)
    attributes = dict(said.attributes)
    if said.type is E.WORKFLOW_EXECUTION_CANCEL_REQUESTED and cancel_requested:
        return
    if said.type in TARGETS:
        target = target_of(Event(said.type, item.at, attributes))
        if target is None:
            return
        if said.start is not None:
            yield _started(said.start, attributes)
            attributes["startedEventId"] = str(length + 1)
        if isinstance(target, Activity) and said.type is E.ACTIVITY_TASK_CANCELED:
            _set_id(attributes, "latestCancelRequestedEventId", target.cancel_id)
        if isinstance(target, Child) and said.type in CHILD_ENDS:
            _set_id(attributes, "startedEventId", target.started_id)
    yield Event(said.type, item.at, attributes)


def first_needed(inbox: Iterable[Item], length: int) -> int:
    """Return the first event that `drained` must know; `length` + 1: none."""
    said = [read_entry(item.data) for item in inbox]
    about = [one for one in said if one.type in TARGETS]
    ids = [int(one.attributes[TARGETS[one.type]]) for one in about]
    return min([*ids, length + 1])


def drained(
    inbox: Sequence[Item], events: Sequence[bytes], length: int
) -> tuple[bytes, ...]:
    """Return the events that a whole inbox becomes behind a history of `length`.

    `events`: the last ones of that history, from `first_needed` on.

    Raises:
        InvalidArgumentError: an entry cannot be read.
    """
    known, made = _Known(), []
    for number, data in enumerate(events, length + 1 - len(events)):
        known.take(number, decode_event(data))
    for item in inbox:
        asked = known.cancel_requested
        for event in events_of(item, length, known.target, cancel_requested=asked):
            length += 1
            known.take(length, event)
            made.append(encode_event(event))
    return tuple(made)


class _Known:
    """What a history began and has not seen the end of, as far as draining asks."""

    def __init__(self) -> None:
        self.cancel_requested = False
        self._open: dict[int, Machine] = {}

    def target(self, event: Event) -> Machine | None:
        return self._open.get(event.id_of(TARGETS[event.type]))

    def take(self, number: int, event: Event) -> None:
        begins = BEGINS.get(event.type)
        if begins is not None:
            self._open[number] = begins(0, number)
        elif event.type is E.WORKFLOW_EXECUTION_CANCEL_REQUESTED:
            self.cancel_requested = True
        elif event.type is E.TIMER_CANCELED:
            self._open.pop(event.id_of("startedEventId"), None)
        elif event.type is E.ACTIVITY_TASK_CANCEL_REQUESTED:
            activity = self._open.get(event.id_of("scheduledEventId"))
            if isinstance(activity, Activity):
                activity.cancel_id = number
        elif event.type in TARGETS:
            self._go_on_or_end(number, event)

    def _go_on_or_end(self, number: int, event: Event) -> None:
        target = self.target(event)
        if event.type not in GOES_ON:
            self._open.pop(event.id_of(TARGETS[event.type]), None)
        elif isinstance(target, Child):
            target.started_id = number


def _started(start: Start, ended: dict[str, Any]) -> Event:
    attributes: dict[str, Any] = {"scheduledEventId": ended["scheduledEventId"]}
    if start.identity:
        attributes["identity"] = start.identity
    attributes["attempt"] = start.attempt
    if start.last_failure:
        attributes["lastFailure"] = start.last_failure
    return Event(E.ACTIVITY_TASK_STARTED, start.at, attributes)


def _set_id(attributes: dict[str, Any], name: str, number: int) -> None:
    if number:
        attributes[name] = str(number)
