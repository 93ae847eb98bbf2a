"""Workflows that the tests of clients start."""

from datetime import timedelta

from workflows import activity, workflow
from workflows.exceptions import ApplicationError

SHORT = timedelta(seconds=10)


@activity.defn
def add_one(number: int) -> int:
    """Add one."""
    return number + 1


@activity.defn
async def ask_somebody(_question: str) -> str:
    """Leave the answer to somebody else."""
    activity.raise_complete_async()


@workflow.defn
class Diary:
    """Keeps what it is told until it is told to end."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.over = False

    @workflow.run
    async def run(self, start: int) -> int:
        """Return how many lines came, after the start."""
        start = await workflow.execute_activity(
            add_one, start, start_to_close_timeout=SHORT
        )
        await workflow.wait_condition(lambda: self.over)
        return start + len(self.lines)

    @workflow.signal
    def write(self, line: str) -> None:
        """Keep a line."""
        self.lines.append(line)

    @workflow.signal
    def end(self) -> None:
        """Be over."""
        self.over = True

    @workflow.query
    def read(self) -> list[str]:
        """Return the lines."""
        return self.lines

    @workflow.query
    def tear(self) -> None:
        """Fail."""
        msg = "no page to tear"
        raise ValueError(msg)


@workflow.defn
class Question:
    """Asks somebody outside."""

    @workflow.run
    async def run(self, question: str) -> str:
        """Return the answer."""
        return await workflow.execute_activity(
            ask_somebody,
            question,
            start_to_close_timeout=timedelta(minutes=5),
            heartbeat_timeout=timedelta(minutes=1),
            cancellation_type=(
                workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
            ),
        )


@workflow.defn
class Countdown:
    """Continues as new down to zero, then fails."""

    @workflow.run
    async def run(self, number: int) -> None:
        """Count."""
        if number:
            workflow.continue_as_new(number - 1)
        msg = "lift-off"
        raise ApplicationError(msg, type="Zero")


WORKFLOWS = (Diary, Question, Countdown)
ACTIVITIES = (add_one, ask_somebody)
