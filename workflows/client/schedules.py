"""Schedules as people and programs manage them."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from workflows.client.faults import Fault, InvalidJobsError
from workflows.client.payloads import encode_payload, opened_schedule
from workflows.converter import DEFAULT, Converter
from workflows.engine.schedule import Timetable, format_timetable, next_slot
from workflows.exceptions import ConflictError, NotFoundError
from workflows.job_type import JobType, milliseconds
from workflows.store import Enqueued, NewJob, Schedule, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRequest:
    """A recurring job to keep; what is None is the type's default."""

    id: str
    type: str
    payload: Any
    timetable: Timetable
    priority: int | None = None
    expires_ms: int | None = None


class ScheduleClient:
    """Schedules of one store. Those that code declares can only be paused and run."""

    def __init__(
        self,
        store: Store,
        types: Mapping[str, JobType],
        new_id: Callable[[], str],
        converter: Converter = DEFAULT,
    ) -> None:
        self._store = store
        self._types = types
        self._new_id = new_id
        self._converter = converter

    def list(self) -> list[Schedule]:
        """Return all schedules, by id."""
        return [
            opened_schedule(self._converter, kept)
            for kept in self._store.list_schedules()
        ]

    def get(self, schedule_id: str) -> Schedule:
        """Return one schedule. NotFoundError."""
        return opened_schedule(self._converter, self._stored(schedule_id))

    def _stored(self, schedule_id: str) -> Schedule:
        for schedule in self._store.list_schedules():
            if schedule.id == schedule_id:
                return schedule
        msg = f"no schedule {schedule_id!r}"
        raise NotFoundError(msg)

    def put(self, request: ScheduleRequest) -> bool:
        """Create or change a schedule; return whether it is new.

        A changed timetable starts anew from now; a pause stays. A repeat changes
        nothing.

        Raises:
            InvalidJobsError: type or payload is not acceptable; it names all faults.
            ConflictError: code declares a schedule of this id.
        """
        job_type = self._types.get(request.type)
        if job_type is None:
            text = "no job type of this name is registered"
            raise InvalidJobsError([Fault("/type", "unknown_type", text)])
        payload, faults = encode_payload(job_type, request.payload, "/payload")
        if faults:
            raise InvalidJobsError(faults)
        known = [one for one in self._store.list_schedules() if one.id == request.id]
        for schedule in known:
            self._refuse_declared(schedule)
        self._store.upsert_schedule(self._schedule(request, job_type, payload))
        return not known

    def _schedule(
        self, request: ScheduleRequest, job_type: JobType, payload: bytes
    ) -> Schedule:
        expires_ms = request.expires_ms
        if expires_ms is None and job_type.expires is not None:
            expires_ms = milliseconds(job_type.expires)
        priority = request.priority
        return Schedule(
            id=request.id,
            queue=job_type.queue,
            type=job_type.name,
            payload=job_type.converter.seal(payload),
            spec=format_timetable(request.timetable),
            priority=job_type.priority if priority is None else priority,
            max_stalls=job_type.max_stalls,
            expires_ms=expires_ms,
            next_at=next_slot(request.timetable.spec, self._store.now()),
        )

    def delete(self, schedule_id: str) -> None:
        """Delete a schedule; its jobs stay. NotFoundError, ConflictError (declared)."""
        self._refuse_declared(self._stored(schedule_id))
        self._store.delete_schedule(schedule_id)

    def pause(self, schedule_id: str) -> None:
        """Fire no slot until `resume`. NotFoundError."""
        self._store.pause_schedule(schedule_id, paused=True)

    def resume(self, schedule_id: str) -> None:
        """End a pause. NotFoundError."""
        self._store.pause_schedule(schedule_id, paused=False)

    def run_now(
        self, schedule_id: str, *, request_id: str | None = None
    ) -> tuple[Schedule, Enqueued]:
        """Add the schedule's job once, now, whatever its timetable and pause say.

        A repeat with the same `request_id` adds nothing. NotFoundError.
        """
        schedule = self._stored(schedule_id)
        request_id = request_id or self._new_id()
        suffix = hashlib.sha256(request_id.encode()).hexdigest()[:16]
        job = NewJob(
            id=f"sched:{schedule.id}:now:{suffix}",
            queue=schedule.queue,
            type=schedule.type,
            payload=schedule.payload,
            headers=schedule.headers,
            priority=schedule.priority,
            expires_ms=schedule.expires_ms,
            max_stalls=schedule.max_stalls,
        )
        return schedule, self._store.enqueue([job], request_id=request_id)[0]

    def _refuse_declared(self, schedule: Schedule) -> None:
        if schedule.declared:
            msg = f"code declares the schedule {schedule.id!r}; change it there"
            raise ConflictError(msg)
