"""A recorded history, cut before each of its workflow tasks, says the same again."""

from collections.abc import Iterator, Sequence

from tests.unit.engine.real_histories import RecordedLocals, entries
from workflows.engine import flags
from workflows.engine.decision import Decision
from workflows.engine.events import CLOSES
from workflows.engine.history import Event, decode_event
from workflows.engine.replay import Replay
from workflows.engine.workflow_instance import NewInstance
from workflows.engine.workflow_tasks import RecordedTask, TaskSplitter


class Recorded:
    """A history and whose it is. `new`: makes the workflow that wrote it."""

    def __init__(
        self,
        workflow_id: str,
        run_id: str,
        history: Sequence[bytes],
        new: NewInstance,
        namespace: str = "",
    ) -> None:
        self.history = history
        self._parts = workflow_id, run_id, new
        self._namespace = namespace
        numbered = [(n, decode_event(one)) for n, one in enumerate(history, 1)]
        self.tasks = list(TaskSplitter().split(numbered))

    def fresh(self) -> Replay:
        """Return an instance that knows nothing yet."""
        return Replay(*self._parts, namespace=self._namespace)

    def told_again(self) -> Iterator[tuple[RecordedTask, Decision]]:
        """Cut before each task: an instance rebuilt from what is before it decides."""
        for task in self.tasks:
            before = task.told[0][0] - 1
            replay = self.fresh()
            replay.feed(self.history[: before or 1])
            yield task, decide(replay, task)
            replay.evict()

    def fed_in_pieces(self) -> Replay:
        """Return one instance that was fed the history task by task."""
        replay, fed = self.fresh(), 0
        for task in self.tasks:
            last = (task.commands or (task.completed,))[-1][0]
            replay.feed(self.history[fed:last])
            fed = last
        replay.feed(self.history[fed:])
        return replay


def decide(replay: Replay, task: RecordedTask) -> Decision:
    """Run a recorded task as if it came now."""
    said = task.started[1].attributes
    scheduled = next(
        event for _, event in reversed(task.told[:-1]) if "attempt" in event.attributes
    )
    return replay.task(
        entries(task),
        at=task.started[1].at,
        identity=said.get("identity", ""),
        attempt=int(scheduled.attributes["attempt"]),
        rules=flags.CURRENT,
        local=RecordedLocals(task),
    )


def recorded_events(task: RecordedTask) -> list[Event]:
    """Return what a decision writes for a task: not the run's first and last event."""
    numbered = (*task.told, task.completed, *task.commands)
    return [event for n, event in numbered if n > 1 and event.type not in CLOSES]
