"""A codec between an instance and its store: nothing readable there, all of it here."""

import itertools
from typing import Any

import pytest
from huey.exceptions import ConfigurationError
from pydantic import BaseModel

from workflows.client import JobClient, JobRequest, ScheduleRequest
from workflows.engine.schedule import CronSpec, Timetable
from workflows.engine.states import DeadReason, JobState
from workflows.exceptions import PayloadError
from workflows.huey import WorkflowHuey
from workflows.store import JobRecord, Store

SECRET = "hunter2"


class Vault:
    """A stand-in for encryption: like it, never the same bytes twice."""

    def __init__(self, name: bytes = b"vault") -> None:
        self.name = name
        self.nonces = itertools.count()

    def encode(self, data: bytes) -> bytes:
        return b"%b:%d:%b" % (self.name, next(self.nonces), data[::-1])

    def decode(self, data: bytes) -> bytes:
        name, _, rest = data.partition(b":")
        if name != self.name:
            raise PayloadError("sealed by another vault")
        return rest.partition(b":")[2][::-1]


class Parcel(BaseModel):
    to: str


def declare(huey: WorkflowHuey) -> Any:
    @huey.job(queue="parcels", payload=Parcel, name="send")
    def send(parcel: Parcel) -> str:
        return f"sent to {parcel.to}"

    return send


@pytest.fixture
def huey(store: Store) -> WorkflowHuey:
    return WorkflowHuey("test", store=store, codec=Vault())


@pytest.fixture
def client(huey: WorkflowHuey, store: Store) -> JobClient:
    declare(huey)
    ids = itertools.count()
    new_id = lambda: f"id-{next(ids)}"  # noqa: E731 - shorter than its def
    return JobClient(store, huey.job_types, new_id, huey.converter)


def stored(store: Store, job_id: str) -> JobRecord:
    record = store.get_job(job_id)
    assert record is not None
    return record


def run_one(huey: WorkflowHuey) -> Any:
    task = huey.dequeue()
    assert task is not None
    return huey.execute(task)


def test_a_job_runs_and_the_store_holds_nothing_readable(
    huey: WorkflowHuey, store: Store
) -> None:
    result = declare(huey).enqueue(Parcel(to=SECRET))
    assert run_one(huey) == f"sent to {SECRET}"
    record = stored(store, result.id)
    assert record.payload.startswith(b"vault:")
    assert SECRET not in repr(record)
    assert result.get() == f"sent to {SECRET}"


def test_plain_tasks_and_their_pipelines_are_sealed_too(
    huey: WorkflowHuey, store: Store
) -> None:
    @huey.task()  # type: ignore[untyped-decorator]
    def join(left: str, right: str) -> str:
        return left + right

    results = huey.enqueue(join.s("a", SECRET).then(join, SECRET))
    waiting = store.list_jobs("test", JobState.WAITING).jobs
    assert [one.headers[:6] for one in waiting] == [b"vault:"]
    assert SECRET not in repr(waiting)
    run_one(huey)
    run_one(huey)
    kept = store.list_values("result")
    assert all(value.startswith(b"vault:") for value in kept.values())
    assert results.get() == [f"a{SECRET}", f"{SECRET}a{SECRET}"]


def test_the_client_seals_what_it_adds_and_shows_it_opened(
    client: JobClient, huey: WorkflowHuey, store: Store
) -> None:
    job_id = client.add(JobRequest(type="send", payload={"to": SECRET})).id
    assert stored(store, job_id).payload.startswith(b"vault:")
    assert client.get_job(job_id).payload == b'{"to":"hunter2"}'
    [listed] = client.list_jobs("parcels", JobState.WAITING).jobs
    assert listed.payload == b'{"to":"hunter2"}'
    run_one(huey)
    assert client.get_job(job_id).result == b'"sent to hunter2"'


def test_a_repeated_request_is_known_though_its_bytes_differ(client: JobClient) -> None:
    request = JobRequest(type="send", payload={"to": SECRET})
    first = client.add(request, request_id="r")
    assert client.add(request, request_id="r") == first


def test_a_schedule_keeps_and_hands_on_what_is_sealed(
    client: JobClient, huey: WorkflowHuey, store: Store
) -> None:
    timetable = Timetable(CronSpec("0 0 * * *"))
    payload = {"to": SECRET}
    client.schedules.put(
        ScheduleRequest(id="daily", type="send", payload=payload, timetable=timetable)
    )
    [kept] = store.list_schedules()
    assert kept.payload.startswith(b"vault:")
    assert client.schedules.get("daily").payload == b'{"to":"hunter2"}'
    assert client.schedules.list() == [client.schedules.get("daily")]
    client.schedules.run_now("daily")
    assert run_one(huey) == f"sent to {SECRET}"


def test_what_another_codec_sealed_is_a_dead_letter_and_shown_as_it_is(
    client: JobClient, store: Store
) -> None:
    other = WorkflowHuey("test", store=store, codec=Vault(b"other"))
    declare(other)
    job_id = client.add(JobRequest(type="send", payload={"to": SECRET})).id
    assert other.dequeue() is None
    record = stored(store, job_id)
    assert record.reason is DeadReason.UNDECODABLE
    assert b"sealed by another vault" in record.failure
    shown = JobClient(store, other.job_types, str, other.converter).get_job(job_id)
    assert shown.payload == record.payload


# -- the limit of size -----------------------------------------------------------------


def test_a_payload_over_the_limit_is_refused_and_nothing_is_added(store: Store) -> None:
    huey = WorkflowHuey("test", store=store, max_payload=20)
    send = declare(huey)
    send.enqueue(Parcel(to="x" * 11))
    with pytest.raises(PayloadError, match=r"limit of 20 bytes \(max_payload\)"):
        send.enqueue(Parcel(to="x" * 12))
    assert len(store.list_jobs("parcels", JobState.WAITING).jobs) == 1


def test_a_result_over_the_limit_makes_a_dead_letter_that_says_so(
    store: Store,
) -> None:
    huey = WorkflowHuey("test", store=store, max_payload=20)
    result = declare(huey).enqueue(Parcel(to="x" * 11))  # its result has 21 bytes
    run_one(huey)
    record = stored(store, result.id)
    assert record.state is JobState.FAILED
    assert b"limit of 20 bytes (max_payload)" in record.failure


def test_a_higher_limit_lets_more_in_and_a_lower_one_still_reads_it(
    store: Store,
) -> None:
    large = WorkflowHuey("test", store=store, max_payload=1_000_000)
    declare(large).enqueue(Parcel(to="x" * 500_000))
    normal = WorkflowHuey("test", store=store, max_payload=600_000)
    declare(normal)
    assert run_one(normal) == "sent to " + "x" * 500_000


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"max_payload": 0}, "max_payload is 1 to 2097152, not 0"),
        ({"max_payload": 2**22}, "max_payload is 1 to 2097152, not 4194304"),
        ({"codec": Vault}, "a codec is an object with encode and decode"),
    ],
)
def test_wrong_settings_of_payloads_are_refused_at_once(
    store: Store, wrong: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        WorkflowHuey("test", store=store, **wrong)
