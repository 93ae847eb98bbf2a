"""Small worlds, so that things collide: few ids, queues, types, times."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from workflows.engine.states import DeadReason, JobState
from workflows.store import (
    Dedup,
    NewJob,
    OnDuplicate,
    QueueLimits,
    Report,
    Schedule,
    Value,
    WorkerInfo,
)

INTERVAL_MS = 1000  # of sweep and of bury_unknown
GRACE_MS = 2500

queues = st.sampled_from(["mail", "order"])
types = st.sampled_from(["send", "bounce"])
job_ids = st.integers(0, 14).map(lambda number: f"job-{number}")
owners = st.sampled_from(["host:1:x", "host:2:y"])
states = st.sampled_from(JobState)
picks = st.integers(0, 999)  # an index into whatever there is
small = st.binary(max_size=3)
priorities = st.sampled_from([0, 0, 0, 0, 1, 5, -1, 0.5, 0.1 + 0.2])
delays = st.sampled_from([0, 0, 0, 200, 700, 1500, 4000])
spans = st.sampled_from([300, 900, 1000, 2500])
moments = st.sampled_from([1, 50, 200, 300, 500, 900, 1000, 1900, 2001, 5000])
steps = st.sampled_from([1, 2, 1000])
keys = st.sampled_from(["k0", "k1", "k2"])
spaces = st.sampled_from(["value", "revoked", "lock", "result"])
times_to_live = st.sampled_from([None, None, 400, 2000])
schedule_ids = st.sampled_from(["daily", "hourly"])


@st.composite
def new_jobs(draw: Any, ids: SearchStrategy[str] = job_ids) -> NewJob:
    return NewJob(
        id=draw(ids),
        queue=draw(queues),
        type=draw(types),
        payload=draw(small),
        headers=draw(st.sampled_from([b"", b"h"])),
        priority=draw(priorities),
        delay_ms=draw(delays),
        expires_ms=draw(st.sampled_from([None, None, None, 500, 3000])),
        max_stalls=draw(st.sampled_from([0, 1, 3])),
        dedup_id=draw(st.sampled_from([None, None, None, "d0", "d1"])),
        trace=draw(st.sampled_from(["", "00-ab-cd-01"])),
    )


dedups = st.builds(
    Dedup,
    ttl_ms=st.sampled_from([None, 300, 2000]),
    on_duplicate=st.sampled_from(OnDuplicate),
) | st.builds(
    Dedup,
    ttl_ms=st.sampled_from([300, 2000]),
    extend=st.just(True),
    on_duplicate=st.sampled_from(OnDuplicate),
)


@st.composite
def choosy_jobs(draw: Any) -> NewJob:
    """Jobs of which some say what becomes of duplicates."""
    job: NewJob = draw(new_jobs())
    if job.dedup_id is None:
        return job
    return replace(job, dedup=draw(st.none() | dedups))


limits = st.one_of(
    st.just(QueueLimits()),
    st.builds(QueueLimits, concurrency=st.integers(1, 3)),
    st.builds(
        QueueLimits,
        concurrency=st.sampled_from([None, 2]),
        rate_max=st.integers(1, 3),
        rate_ms=st.sampled_from([500, 3000]),
    ),
)

reports = st.builds(
    Report,
    progress=st.one_of(st.none(), small),
    checkpoint=st.one_of(st.none(), small),
    payload=st.one_of(st.none(), st.none(), small),
    lines=st.lists(st.sampled_from(["", "one", "zwölf"]), max_size=3).map(tuple),
)
changes = st.fixed_dictionaries({}, optional={"payload": small, "priority": priorities})
values = st.builds(Value, key=keys, value=small, ttl_ms=times_to_live)

workers = st.builds(
    WorkerInfo,
    owner=owners,
    host=st.just("host"),
    pid=st.integers(1, 2),
    queues=st.dictionaries(queues, st.lists(types, unique=True).map(tuple)),
    slots=st.just(4),
    running=st.integers(0, 4),
    started_at=st.just(0),
    version=st.just("1"),
    schedules=st.lists(schedule_ids, unique=True).map(tuple),
)


@st.composite
def schedules(draw: Any, now: int) -> Schedule:
    return Schedule(
        id=draw(schedule_ids),
        queue=draw(queues),
        type=draw(types),
        payload=draw(small),
        spec=draw(st.sampled_from(["spec 1", "spec 2"])),
        headers=draw(st.sampled_from([b"", b"h"])),
        priority=draw(priorities),
        max_stalls=draw(st.integers(0, 3)),
        expires_ms=draw(st.sampled_from([None, 900])),
        next_at=draw(st.sampled_from([None, now + 100, now + 1000])),
        declared=draw(st.booleans()),
        paused=draw(st.sampled_from([False, False, True])),
    )


@st.composite
def settlement_fields(draw: Any) -> tuple[str, dict[str, Any]]:
    """The kind of a settlement, and its fields beside job id and token."""
    kind: str = draw(st.sampled_from(SETTLEMENTS))
    fields: dict[str, Any] = {}
    if draw(st.integers(0, 5)) == 0:
        fields["jobs"] = tuple(draw(st.lists(new_jobs(), max_size=2)))
    if draw(st.integers(0, 5)) == 0:
        fields["values"] = tuple(draw(st.lists(values, max_size=2)))
    if kind == "Complete":
        fields["result"] = draw(st.sampled_from([None, b"", b"1"]))
        fields["remove"] = draw(st.sampled_from([False, False, True]))
    if kind == "Retry":
        fields["failure"] = draw(st.sampled_from([b"", b"boom"]))
        fields["delay_ms"] = draw(delays)
        fields["spend"] = draw(st.sampled_from([True, True, False]))
    if kind == "Bury":
        fields["failure"] = draw(st.sampled_from([b"", b"dead"]))
        fields["reason"] = draw(st.sampled_from(DeadReason))
        fields["spend"] = draw(st.sampled_from([True, True, False]))
        fields["remove"] = draw(st.sampled_from([False, False, True]))
    if kind in ("Retry", "Bury"):
        fields["linger"] = draw(st.sampled_from([False, False, True]))
    if kind == "Release":
        fields["started"] = draw(st.booleans())
    return kind, fields


SETTLEMENTS = ["Complete", "Retry", "Bury", "Release", "Cancel", "Expire", "Return"]
