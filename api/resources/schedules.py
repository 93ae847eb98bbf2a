"""Schedules: read, create, change, delete, pause, run."""

from api import schemas, views
from api.call import Call, Reply
from api.problems import Code, Problem, invalid_body
from workflows.client import Fault, InvalidJobsError, ScheduleRequest
from workflows.engine.schedule import CatchUp, CronSpec, IntervalSpec, Timetable
from workflows.exceptions import InvalidArgumentError

MAX_SCHEDULE_ID = 100  # its jobs' ids are longer and must be ids too
ANY_CRON = "@daily"  # to look at a time zone alone
_FIELDS = {"type": "name", "payload": "data"}


def list_schedules(call: Call) -> Reply:
    """List all schedules."""
    found = [views.schedule(kept) for kept in call.client.schedules.list()]
    return Reply(data=schemas.Schedules(schedules=found))


def read(call: Call) -> Reply:
    """Read a schedule."""
    return _reply(call)


def put(call: Call) -> Reply:
    """Create or change a schedule."""
    wanted = call.read(schemas.PutSchedule)
    schedule_id = call.ids["scheduleId"]
    if len(schedule_id) > MAX_SCHEDULE_ID:
        msg = f"A new schedule's id has at most {MAX_SCHEDULE_ID} characters."
        raise Problem(Code.BAD_ID, msg)
    request = ScheduleRequest(
        id=schedule_id,
        type=wanted.name,
        payload=wanted.data,
        timetable=_timetable(wanted),
        priority=wanted.priority,
        expires_ms=wanted.expires_ms,
    )
    try:
        created = call.client.schedules.put(request)
    except InvalidJobsError as error:
        faults = [_in_body(fault) for fault in error.faults]
        raise invalid_body(faults) from None
    return _reply(call, status=201 if created else 200)


def _timetable(wanted: schemas.PutSchedule) -> Timetable:
    if (wanted.cron is None) == (wanted.every_ms is None):
        text = "give exactly one of cron and everyMs"
        raise invalid_body([Fault("", "one_of", text)])
    spec = _interval(wanted) if wanted.every_ms is not None else _cron(wanted)
    return Timetable(spec, CatchUp(wanted.catch_up), wanted.skip_overlap)


def _interval(wanted: schemas.PutSchedule) -> IntervalSpec:
    try:
        return IntervalSpec(wanted.every_ms or 0, wanted.offset_ms)
    except InvalidArgumentError:  # the shape of the body allows this one fault only
        text = "must be less than everyMs"
        raise invalid_body([Fault("/offsetMs", "too_large", text)]) from None


def _cron(wanted: schemas.PutSchedule) -> CronSpec:
    try:
        CronSpec(ANY_CRON, wanted.tz)
    except InvalidArgumentError:
        text = "there is no such time zone"
        raise invalid_body([Fault("/tz", "unknown_zone", text)]) from None
    try:
        return CronSpec(wanted.cron or "", wanted.tz)
    except InvalidArgumentError as error:
        why = str(error).rpartition("': ")[2] if "': " in str(error) else "never fires"
        text = f"not a cron expression that can be followed: {why}"
        raise invalid_body([Fault("/cron", "bad_cron", text)]) from None


def _in_body(fault: Fault) -> Fault:
    """Name a fault's place as it is in the body."""
    _, field, *rest = fault.path.split("/")
    return Fault("/".join(("", _FIELDS[field], *rest)), fault.code, fault.message)


def delete(call: Call) -> Reply:
    """Delete a schedule; its jobs stay."""
    schedule_id = call.ids["scheduleId"]
    call.client.schedules.delete(schedule_id)
    return Reply(data=schemas.DeletedSchedule(id=schedule_id))


def pause(call: Call) -> Reply:
    """Fire no slot of a schedule until it is resumed."""
    call.client.schedules.pause(call.ids["scheduleId"])
    return _reply(call)


def resume(call: Call) -> Reply:
    """End the pause of a schedule."""
    call.client.schedules.resume(call.ids["scheduleId"])
    return _reply(call)


def run(call: Call) -> Reply:
    """Add the job of a schedule now, beside its slots."""
    schedule, answer = call.client.schedules.run_now(
        call.ids["scheduleId"], request_id=call.request_key
    )
    added = views.added_job(schedule.queue, answer)
    created = added.status == "created"
    return Reply(
        data=added,
        status=201 if created else 200,
        location=f"/api/v1/jobs/{added.job_id}" if created else None,
    )


def _reply(call: Call, *, status: int = 200) -> Reply:
    kept = call.client.schedules.get(call.ids["scheduleId"])
    return Reply(data=views.schedule(kept), status=status)
