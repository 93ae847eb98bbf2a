"""Runs of daily jobs: one per business day, whoever starts it."""

from dataclasses import replace
from datetime import date, timedelta

from workflows.marketplace.backoffice import RunState, ScheduleRun
from workflows.marketplace.change import Change

LEASE = timedelta(minutes=30)


def claim(change: Change, schedule: str, day: date, run_id: str) -> bool:
    """Take the run of a day; False: somebody else has it, or it is done.

    The same `run_id` has it again (a retry, a dead letter run again); so has anybody
    half an hour after its holder was last heard of, or after it failed.
    """
    mine = ScheduleRun(
        schedule=schedule,
        period=day.isoformat(),
        claimed_by=run_id,
        claimed_at=change.now,
    )
    if change.work.schedule_runs.add(mine):
        return True
    found = change.work.schedule_runs.get(schedule, mine.period)
    if found is None or found.status in {RunState.DONE, RunState.SKIPPED}:
        return False
    stale = found.claimed_at + LEASE <= change.now
    if found.claimed_by == run_id or found.status is RunState.FAILED or stale:
        change.work.schedule_runs.move(found, mine)
        return True
    return False


def finish(change: Change, schedule: str, day: date, status: RunState) -> None:
    """Record how the run of a day ended."""
    found = change.work.schedule_runs.get(schedule, day.isoformat())
    if found is not None:
        ended = replace(found, status=status, finished_at=change.now)
        change.work.schedule_runs.move(found, ended)


def finished(change: Change, schedule: str, day: date) -> bool:
    """Whether the run of a day has ended well."""
    found = change.work.schedule_runs.get(schedule, day.isoformat())
    return found is not None and found.status in {RunState.DONE, RunState.SKIPPED}
