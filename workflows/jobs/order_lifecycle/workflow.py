"""The workflow: look at the order, wait for its next step or a change, do the step.

The rows are the truth. A signal carries nothing: it only says that there is something
to see, so one that is lost, doubled or late costs a look at most.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from workflows import workflow
from workflows.common import RetryPolicy
from workflows.exceptions import is_cancelled_exception
from workflows.jobs.order_lifecycle.steps import Seen, Step

WORKFLOW = "order-lifecycle"
TASK_QUEUE = "order-lifecycle"
ATTEMPT = timedelta(seconds=30)
RETRIES = RetryPolicy(  # for ever, but for what no retry can cure
    maximum_interval=timedelta(minutes=1), non_retryable_error_types=["PermanentError"]
)
PAUSE = timedelta(seconds=5)  # before a step that changed nothing is done again
LONG_HISTORY = 500  # events


@dataclass(frozen=True, slots=True)
class Moment:
    """When the workflow first saw the order in a status."""

    at: datetime
    status: str


@workflow.defn(name=WORKFLOW)
class OrderLifecycle:
    """Keeps the time of one order; its id is `order:` and the order's id.

    Cancelled, it undoes the order; once the goods are delivered, it only goes forward.
    """

    @workflow.init
    def __init__(self, order_id: str, timeline: list[Moment] | None = None) -> None:
        self._order_id = order_id
        self._timeline = list(timeline or ())
        self._changed = False

    @workflow.run
    async def run(self, _order_id: str, _timeline: list[Moment] | None = None) -> str:
        """Return the order's last status. `timeline`: of the runs before this one."""
        while True:
            try:
                return await self._live()
            except BaseException as error:
                if not is_cancelled_exception(error) or await self._undo():
                    raise

    @workflow.signal
    def changed(self) -> None:
        """Say that the order's rows have changed."""
        self._changed = True

    @workflow.query
    def status(self) -> str | None:
        """Return the status seen last."""
        return self._timeline[-1].status if self._timeline else None

    @workflow.query
    def timeline(self) -> list[Moment]:
        """Return the statuses with their times, the first first."""
        return self._timeline

    async def _live(self) -> str:
        done: Step | None = None
        while not (seen := await self._look()).over or self._changed:
            if seen.over:  # but something has changed since: it may be reinstated
                continue
            if workflow.info().get_current_history_length() > LONG_HISTORY:
                workflow.continue_as_new(args=[self._order_id, self._timeline])
            pause = PAUSE if seen.step == done else timedelta(0)
            if seen.step is None:
                await workflow.wait_condition(lambda: self._changed)
            elif not await self._changes_within(
                max((seen.step.at - seen.now) / seen.speed, pause)
            ):
                await self._act(seen.step.activity, seen.step.subject)
                done = seen.step
        return seen.status

    async def _look(self) -> Seen:
        self._changed = False
        seen: Seen = await workflow.execute_activity(
            "look-at-order",
            self._order_id,
            result_type=Seen,
            start_to_close_timeout=ATTEMPT,
            retry_policy=RETRIES,
        )
        if seen.status != self.status():
            self._timeline.append(Moment(seen.now, seen.status))
        return seen

    async def _changes_within(self, span: timedelta) -> bool:
        """Wait; return at once if the order changes. `seen.now` is no clock of ours."""
        if span <= timedelta(0):
            return False
        try:
            await workflow.wait_condition(lambda: self._changed, timeout=span)
        except TimeoutError:
            return False
        return True

    async def _act(self, name: str, subject: str) -> object:
        return await workflow.execute_activity(
            name, subject, start_to_close_timeout=ATTEMPT, retry_policy=RETRIES
        )

    async def _undo(self) -> bool:
        return bool(await self._act("cancel-order", self._order_id))
