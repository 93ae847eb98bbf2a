"""The ticker: what must happen by the clock, whoever does it.

Due jobs become waiting, schedules fire, leases that ran out are swept, old records
are pruned. Every act is one atomic, repeatable write, so any number of tickers may
run and none is the leader.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from workflows.engine.schedule import (
    Due,
    Timetable,
    due_slots,
    format_timetable,
    parse_timetable,
)
from workflows.engine.states import JobState
from workflows.exceptions import StoreError, WorkflowsError
from workflows.job_type import Retention, milliseconds
from workflows.runtime.lease import MS, boot_ns
from workflows.store import FireStatus, NewJob, Schedule, Store, Swept

logger = logging.getLogger("workflows.runtime")

PROMOTE_MS = 50  # how late a due job may be noticed at most
SCHEDULES_NS = 1000 * MS
EXPIRE_NS = 1000 * MS
UNKNOWN_MS = 10_000
UNKNOWN_GRACE_MS = 5 * 60_000  # of a type that no living worker knows
PRUNE_NS = 10_000 * MS


@dataclass(frozen=True, slots=True, kw_only=True)
class TickerOptions:
    """`timetables`: of the schedules declared here; `retention`: queue → records of
    completed and of failed jobs to keep.
    """

    timetables: Mapping[str, Timetable]
    retention: Mapping[str, tuple[Retention, Retention]]
    sweep_interval_ms: int = 5_000
    unknown_grace_ms: int = UNKNOWN_GRACE_MS
    periodic: bool = True


class Ticker:
    """One ticker of a process; call `step` again and again."""

    def __init__(
        self,
        store: Store,
        options: TickerOptions,
        *,
        on_swept: Callable[[list[Swept]], None] | None = None,
        chores: Sequence[tuple[int, Callable[[], None]]] = (),
    ) -> None:
        """Make a ticker; `chores`: what else to do, each every so many ns."""
        self._store = store
        self._options = options
        self._on_swept = on_swept
        self._failing = False
        sweep_ns = options.sweep_interval_ms * MS
        self._chores: list[tuple[int, Callable[[], None]]] = [
            (sweep_ns, self._sweep),
            (EXPIRE_NS, self._expire),
            (UNKNOWN_MS * MS, self._bury_unknown),
            (PRUNE_NS, self._prune),
            *chores,
        ]
        if options.periodic:
            self._chores.append((SCHEDULES_NS, self.fire_schedules))
        self._due = [0] * len(self._chores)

    def step(self) -> float:
        """Do what is due; return the seconds until the next step."""
        try:
            next_ms = self._promote()
            now = boot_ns()
            for index, (every, chore) in enumerate(self._chores):
                if now >= self._due[index]:
                    self._do(chore)
                    self._due[index] = now + every
        except StoreError as error:
            if not self._failing:
                logger.warning("ticker_store_unavailable error=%s", error)
            self._failing = True
            return 0.5
        self._failing = False
        return next_ms / 1000

    def _do(self, chore: Callable[[], None]) -> None:
        """Do a chore; one that fails by itself keeps no other from being done."""
        try:
            chore()
        except StoreError:
            raise
        except Exception:
            logger.exception("chore_failed")

    def _promote(self) -> float:
        count, next_ms = self._store.promote_due()
        while count and next_ms == 0:
            count, next_ms = self._store.promote_due()
        if next_ms is None:
            return PROMOTE_MS
        return min(max(next_ms, 1), PROMOTE_MS)

    def _sweep(self) -> None:
        swept = self._store.sweep(interval_ms=self._options.sweep_interval_ms)
        for one in swept:
            logger.warning(
                "lease_swept job_id=%s queue=%s outcome=%s",
                one.job_id,
                one.queue,
                one.outcome,
            )
        if swept and self._on_swept is not None:
            self._on_swept(swept)

    def _expire(self) -> None:
        self._store.expire_due()

    def _bury_unknown(self) -> None:
        buried = self._store.bury_unknown(
            grace_ms=self._options.unknown_grace_ms, interval_ms=UNKNOWN_MS
        )
        for job_id in buried:
            logger.error("unknown_type_buried job_id=%s", job_id)

    def _prune(self) -> None:
        for queue, (completed, failed) in self._options.retention.items():
            for state in (JobState.COMPLETED, JobState.CANCELLED, JobState.EXPIRED):
                self._prune_state(queue, state, completed)
            self._prune_state(queue, JobState.FAILED, failed)

    def _prune_state(self, queue: str, state: JobState, keep: Retention) -> None:
        age_ms = None if keep.age is None else milliseconds(keep.age)
        if age_ms is None and keep.count is None:
            return
        while self._store.prune(queue, state, age_ms=age_ms, keep=keep.count).more:
            pass

    # -- schedules -------------------------------------------------------------------

    def fire_schedules(self) -> None:
        """Fire every due schedule that is declared here or by the API."""
        schedules = self._store.list_schedules()
        if not schedules:
            return
        now = self._store.now()
        for schedule in schedules:
            if schedule.paused or schedule.next_at is None or schedule.next_at > now:
                continue
            if schedule.declared and schedule.id not in self._options.timetables:
                continue  # nobody living declares it any more: it stops firing
            try:
                self._fire(schedule, now)
            except StoreError:
                raise
            except WorkflowsError as error:
                logger.error("schedule_failed id=%s error=%s", schedule.id, error)  # noqa: TRY400

    def _fire(self, schedule: Schedule, now: int) -> None:
        timetable = self._timetable(schedule)
        slot = schedule.next_at or 0
        due: Due = due_slots(timetable.spec, slot, now, timetable.catch_up)
        status = self._store.fire_schedule(
            schedule.id,
            slot=slot,
            next_at=due.next_at,
            jobs=[scheduled_job(schedule, one) for one in due.slots],
            skip_overlap=timetable.skip_overlap,
        )
        if status is FireStatus.OVERLAP:
            logger.info("schedule_overlap id=%s slot=%s", schedule.id, slot)

    def _timetable(self, schedule: Schedule) -> Timetable:
        """Return what the store says; only an opaque one needs this process's code.

        During a deploy processes with older and newer code fire the same schedule.
        """
        own = self._options.timetables.get(schedule.id)
        if own is not None and format_timetable(own) == schedule.spec:
            return own
        return parse_timetable(schedule.spec)


def scheduled_job(schedule: Schedule, slot: int) -> NewJob:
    """Return the job of one slot; its id makes a second firing a duplicate."""
    return NewJob(
        id=f"sched:{schedule.id}:{slot}",
        queue=schedule.queue,
        type=schedule.type,
        payload=schedule.payload,
        headers=schedule.headers,
        priority=schedule.priority,
        max_stalls=schedule.max_stalls,
        expires_ms=schedule.expires_ms,
    )
