"""A history as its workflow tasks: what each was told, and what it answered."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workflows.engine.events import COMMANDS
from workflows.engine.events import EventType as E
from workflows.engine.history import Event

Numbered = tuple[int, Event]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTask:
    """One completed workflow task.

    `told`: all events since the commands of the task before it, WORKFLOW_TASK_STARTED
    last. `commands`: the events that its completion recorded.
    """

    told: tuple[Numbered, ...]
    completed: Numbered
    commands: tuple[Numbered, ...]

    @property
    def started(self) -> Numbered:
        """The WORKFLOW_TASK_STARTED of the attempt that completed."""
        return self.told[-1]


class TaskSplitter:
    """Cuts events into completed tasks; keeps those of a task that is not complete."""

    def __init__(self) -> None:
        self.tail: list[Numbered] = []

    def split(self, events: Sequence[Numbered]) -> Iterator[RecordedTask]:
        """Yield the tasks that are complete now. `events` follow those given before.

        What is given must end where a commit ended: a completion has its commands.
        """
        self.tail += events
        begin = 0
        for place, end in self._ends():
            told = tuple(self.tail[begin:place])
            commands = tuple(self.tail[place + 1 : end])
            yield RecordedTask(told=told, completed=self.tail[place], commands=commands)
            begin = end
        del self.tail[:begin]

    def _ends(self) -> Iterator[tuple[int, int]]:
        """Yield the place of each completion and of the end of its commands."""
        tail, place = self.tail, 0
        while place < len(tail):
            here, place = place, place + 1
            if tail[here][1].type is not E.WORKFLOW_TASK_COMPLETED:
                continue
            while place < len(tail) and tail[place][1].type in COMMANDS:
                place += 1
            yield here, place
