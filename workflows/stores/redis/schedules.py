"""Recurring jobs."""

from collections.abc import Sequence

from workflows.exceptions import NotFoundError
from workflows.store import FireStatus, NewJob, Schedule
from workflows.stores import validation
from workflows.stores.redis import records
from workflows.stores.redis.job_messages import pack_job
from workflows.stores.redis.scripts import Scripts


class Schedules:
    """Create, fire, pause and delete schedules."""

    _scripts: Scripts

    def upsert_schedule(self, schedule: Schedule) -> None:
        """See `workflows.store.Store.upsert_schedule`."""
        validation.check_schedule(schedule)
        self._scripts.run(
            "upsert_schedule",
            schedule.id,
            schedule.spec,
            schedule.next_at,
            schedule.paused,
            records.pack_schedule(schedule),
        )

    def fire_schedule(
        self,
        schedule_id: str,
        *,
        slot: int,
        next_at: int | None,
        jobs: Sequence[NewJob],
        skip_overlap: bool = False,
    ) -> FireStatus:
        """See `workflows.store.Store.fire_schedule`."""
        validation.check_firing(slot, next_at, jobs)
        packed = [pack_job(job) for job in jobs]
        fired: bytes = self._scripts.run(
            "fire_schedule", schedule_id, slot, next_at, packed, skip_overlap
        )
        return FireStatus(fired.decode())

    def delete_schedule(self, schedule_id: str) -> bool:
        """See `workflows.store.Store.delete_schedule`."""
        return bool(self._scripts.run("change_schedule", schedule_id, "delete"))

    def pause_schedule(self, schedule_id: str, *, paused: bool) -> None:
        """See `workflows.store.Store.pause_schedule`."""
        change = "pause" if paused else "resume"
        if not self._scripts.run("change_schedule", schedule_id, change):
            msg = f"there is no schedule {schedule_id!r}"
            raise NotFoundError(msg)

    def list_schedules(self) -> list[Schedule]:
        """See `workflows.store.Store.list_schedules`."""
        rows = self._scripts.run("list_schedules")
        return sorted((records.schedule(row) for row in rows), key=lambda s: s.id)
