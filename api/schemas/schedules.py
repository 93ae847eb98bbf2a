"""Schedules."""

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.fields import (
    MAX_SPAN_MS,
    Body,
    Json,
    TimeOut,
    View,
)
from workflows.engine.schedule import (
    MAX_EXPRESSION,
    MAX_INTERVAL_MS,
    MIN_INTERVAL_MS,
)
from workflows.job_type import MAX_PRIORITY


class PutSchedule(Body):
    """A recurring job. Exactly one of `cron` and `everyMs` is set.

    `catchUp`: what becomes of slots that passed while nothing could fire them.
    `skipOverlap`: fire nothing while the last job is live.
    """

    name: Annotated[str, Field(min_length=1, max_length=255)]
    data: Json
    cron: Annotated[str, Field(min_length=1, max_length=MAX_EXPRESSION)] | None = None
    tz: Annotated[str, Field(min_length=1, max_length=80)] = "UTC"
    every_ms: Annotated[int, Field(ge=MIN_INTERVAL_MS, le=MAX_INTERVAL_MS)] | None = (
        Field(None, alias="everyMs")
    )
    offset_ms: Annotated[int, Field(ge=0, le=MAX_INTERVAL_MS)] = Field(
        0, alias="offsetMs"
    )
    catch_up: Literal["skip", "once", "all"] = Field("once", alias="catchUp")
    skip_overlap: bool = Field(False, alias="skipOverlap")
    priority: Annotated[int, Field(ge=0, le=MAX_PRIORITY)] | None = None
    expires_ms: Annotated[int, Field(ge=1, le=MAX_SPAN_MS)] | None = Field(
        None, alias="expiresMs"
    )


class ScheduleView(View):
    """A schedule. `opaque`: only code tells its slots. `nextAt` null: never again."""

    id: str
    name: str
    queue_name: str
    data: Json
    cron: str | None
    tz: str | None
    every_ms: int | None
    offset_ms: int | None
    opaque: bool
    catch_up: Literal["skip", "once", "all"] | None
    skip_overlap: bool
    priority: float
    expires_ms: int | None
    paused: bool
    declared: bool
    next_at: TimeOut | None
    last_slot: TimeOut | None
    last_fired_at: TimeOut | None
    last_job_id: str | None


class Schedules(View):
    """All schedules, by id."""

    schedules: list[ScheduleView]


class DeletedSchedule(View):
    """The schedule that is gone."""

    id: str
    removed: Literal[True] = True
