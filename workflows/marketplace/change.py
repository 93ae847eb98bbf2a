"""A change of the marketplace: one transaction, and what must follow from it.

A transition is a function that takes a `Change`. It reads what it needs, decides, and
writes the rows, the history, the messages and the jobs that follow: all of it or
nothing. Jobs, webhooks, sweepers and people call the same transitions.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Concatenate, ParamSpec, TypeVar

from workflows.marketplace.backoffice import OpsTask, OrderEvent, OutboxJob
from workflows.marketplace.errors import TransientError
from workflows.marketplace.message import Clock, Message
from workflows.marketplace.ports import JobAdder, Storage
from workflows.marketplace.sql.rows import LostRaceError
from workflows.marketplace.sql.work import SqlWork
from workflows.marketplace.terms import Terms

log = logging.getLogger(__name__)
Args = ParamSpec("Args")
Result = TypeVar("Result")

TRIES = 5
LOST_RACE = "lost_race"
RELAY_BATCH = 500
MESSAGE_QUEUE = "whatsapp-message-send"
LIFECYCLE_QUEUE = "order-lifecycle"
LIFECYCLE = "workflow:order-lifecycle"  # as an actor
RELAYED_JOBS_KEPT = timedelta(days=7)


class Timers(StrEnum):
    """What acts when the time of an order has come; the sweeps act after either."""

    JOBS = "jobs"  # each transition asks for a delayed job
    WORKFLOW = "workflow"  # one durable workflow per order has the timers


@dataclass(frozen=True, slots=True)
class Noop:
    """Nothing to do, which is no error. `until`: nothing to do before then."""

    why: str
    until: datetime | None = None

    def __str__(self) -> str:
        return f"noop:{self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a transition works with. `actor`: who asked, such as `job:order-expiry`."""

    work: SqlWork
    now: datetime
    new_id: Callable[[], str]
    terms: Terms
    actor: str
    timers: Timers = Timers.JOBS
    noted: set[str] = field(default_factory=set)  # orders that this changed

    def note(self, order_id: str, type: str, **data: Any) -> None:
        """Write a line of an order's history."""
        self.noted.add(order_id)
        self.work.events.add(
            OrderEvent(
                order_id=order_id, type=type, actor=self.actor, data=data, at=self.now
            )
        )

    def later(
        self, queue: str, job_id: str, payload: dict[str, Any], run_at: datetime
    ) -> None:
        """Ask for a job; the same id is the same job."""
        self.work.outbox.add(
            OutboxJob(job_id=job_id, queue=queue, payload=payload, run_at=run_at)
        )

    def timer(
        self, queue: str, job_id: str, payload: dict[str, Any], run_at: datetime
    ) -> None:
        """Ask for a job that acts on an order in time, unless its workflow does."""
        if self.timers is Timers.JOBS:
            self.later(queue, job_id, payload, run_at)

    def wake_workflows(self) -> None:
        """Tell the workflow of each order that was changed, if it was not its own act.

        The first word starts it.
        """
        if self.timers is Timers.JOBS or self.actor == LIFECYCLE:
            return
        for order_id in sorted(self.noted):
            word = f"{LIFECYCLE_QUEUE}:{order_id}:{self.new_id()}"
            self.later(LIFECYCLE_QUEUE, word, {"orderId": order_id}, self.now)

    def ask_people(self, key: str, kind: str, subject: str, text: str) -> None:
        """Open a task for a person; the same key is the same task."""
        self.work.tasks.add(
            OpsTask(key=key, kind=kind, subject=subject, text=text, created_at=self.now)
        )

    def tell(self, message: Message) -> None:
        """Have a message sent; the same dedupe key is the same message."""
        written = self.work.messages.add(message)
        if written.id == message.id:
            self.later(
                MESSAGE_QUEUE,
                f"{MESSAGE_QUEUE}:{message.id}",
                {"messageId": message.id},
                message.not_before or self.now,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Marketplace:
    """Runs transitions. Share one among threads."""

    storage: Storage
    clock: Clock
    new_id: Callable[[], str]
    jobs: JobAdder
    terms: Terms = field(default_factory=Terms)
    timers: Timers = Timers.JOBS

    def run(
        self,
        actor: str,
        transition: Callable[Concatenate[Change, Args], Result],
        *args: Args.args,
        **kwargs: Args.kwargs,
    ) -> Result:
        """Run a transition in one transaction; then add the jobs it asked for.

        If the process dies in between, whoever relays next adds them.

        Raises:
            StoreUnavailableError: the database or the queue cannot be reached; if
                it was the queue, the change stands.
            TransientError: others were faster again and again; nothing was changed.
        """
        result = self._commit(actor, transition, *args, **kwargs)
        self.relay()
        return result

    def _commit(
        self,
        actor: str,
        transition: Callable[Concatenate[Change, Args], Result],
        *args: Args.args,
        **kwargs: Args.kwargs,
    ) -> Result:
        for _ in range(TRIES):
            try:
                with self.storage.begin() as work:
                    change = Change(
                        work=work,
                        now=self.clock(),
                        new_id=self.new_id,
                        terms=self.terms,
                        actor=actor,
                        timers=self.timers,
                    )
                    result = transition(change, *args, **kwargs)
                    change.wake_workflows()
                    return result
            except LostRaceError as lost:
                log.info("again, from the start: %s", lost)
        raise TransientError(LOST_RACE, f"others were faster {TRIES} times")

    def relay(self) -> int:
        """Add the jobs that committed changes asked for; return how many.

        Each goes to its queue under its own id, so that a repeat adds nothing.
        """
        count = 0
        while True:
            with self.storage.begin() as work:
                jobs = work.outbox.waiting(RELAY_BATCH)
            added = [job.job_id for job in jobs if self._add(job)]
            if added:
                now = self.clock()
                with self.storage.begin() as work:
                    work.outbox.relayed(added, now)
                    work.outbox.forget(now - RELAYED_JOBS_KEPT)
            count += len(added)
            if len(added) < RELAY_BATCH:
                return count

    def _add(self, job: OutboxJob) -> bool:
        delay = max(job.run_at - self.clock(), timedelta(0))
        if self.jobs.add(job, delay):
            return True
        log.error("nobody takes jobs of the queue %s: %s waits", job.queue, job.job_id)
        return False
