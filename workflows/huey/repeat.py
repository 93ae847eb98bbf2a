"""Schedules that code declares: `job.repeat(…)` and Huey's `@huey.periodic_task`."""

import datetime as dt
from dataclasses import dataclass

from huey.api import PeriodicTask

from workflows.engine.schedule import CatchUp, OpaqueSpec, Timetable
from workflows.job_type import JobType


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """A recurring job as declared in code; the consumer upserts it when it starts."""

    id: str
    job_type: JobType
    payload: bytes
    timetable: Timetable


def periodic_id(type_name: str) -> str:
    """Return the schedule id of a Huey periodic task."""
    return f"periodic:{type_name}"


def periodic(
    cls: type[PeriodicTask], job_type: JobType, payload: bytes, *, utc: bool
) -> Repeat:
    """Return the schedule of a Huey periodic task: its validator, minute by minute."""
    probe = cls()

    def matches(minute_ms: int) -> bool:
        return bool(probe.validate_datetime(naive(minute_ms, utc=utc)))

    name = periodic_id(job_type.name)
    timetable = Timetable(OpaqueSpec(name, matches), CatchUp.SKIP)
    return Repeat(id=name, job_type=job_type, payload=payload, timetable=timetable)


def naive(ms: int, *, utc: bool) -> dt.datetime:
    """Return an instant as Huey hands it to validators: naive, UTC or local."""
    moment = dt.datetime.fromtimestamp(ms / 1000, tz=dt.UTC)
    return (moment if utc else moment.astimezone()).replace(tzinfo=None)
