"""What a workflow task decided: what to write, and what must take effect with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.engine.commands import Command, TerminalCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A command and the event that records it.

    `attributes` are the event's: a cancel names the event that began what shall end
    (scheduledEventId, startedEventId), or the workflowExecution to ask.
    """

    command: Command
    event_id: int
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The outcome of one workflow task, to be written all or nothing.

    `events` follow the `length` that the history has. With `terminal` the run closes:
    `workflows.engine.close` makes its last event, which names `completed_id`.
    `taken`: number of the newest inbox entry that is in `events` or was found to be
    about something that is over. If nothing came of the entries, `events` is empty.
    """

    length: int
    at: int
    taken: int
    events: tuple[bytes, ...] = ()
    issued: tuple[Issued, ...] = ()
    terminal: TerminalCommand | None = None
    completed_id: int = 0
