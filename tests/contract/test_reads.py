"""Lists, pages and cursors."""

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import add, job, new, put, settle, take, taken
from workflows.engine.states import LIVE, TERMINAL, DeadReason, JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    MAX_STEP,
    Bury,
    Complete,
    JobRecord,
    QueueLimits,
    Store,
)


def pages(store: Store, state: JobState, limit: int) -> list[list[str]]:
    """Read a whole list page by page."""
    read: list[list[str]] = []
    cursor: str | None = None
    while True:
        page = store.list_jobs("mail", state, limit=limit, cursor=cursor)
        read.append([record.id for record in page.jobs])
        if page.cursor is None:
            return read
        cursor = page.cursor


def complete(store: Store, *ids: str) -> None:
    add(store, *ids)
    take(store, f"t{ids}", len(ids))
    store.exchange([Complete(job_id=one, token=f"t{ids}") for one in ids])


def test_what_is_not_there_is_none_or_empty(store: Store) -> None:
    assert store.get_job("none") is None
    assert store.get_queue("none") is None
    assert store.list_queues() == []
    page = store.list_jobs("none", JobState.WAITING)
    assert (page.jobs, page.cursor) == ((), None)
    assert store.series("none", since_minute=0) == []
    assert store.list_queues() == []


def test_a_listed_job_is_the_whole_record(store: Store) -> None:
    add(store, "a", payload=b"p", dedup_id="d")
    take(store, "t")
    reason = DeadReason.EXHAUSTED
    settle(store, Bury(job_id="a", token="t", failure=b"f", reason=reason))
    listed: tuple[JobRecord, ...] = store.list_jobs("mail", JobState.FAILED).jobs
    assert listed == (job(store, "a"),)
    assert len(listed[0].attempts) == 1


def test_waiting_jobs_are_listed_as_they_will_be_claimed(store: Store) -> None:
    put(
        store,
        new("c", type="x"),
        new("a"),
        new("d", priority=-1, type="y"),
        new("b", priority=5),
    )
    listed = pages(store, JobState.WAITING, 10)
    assert listed == [["d", "c", "a", "b"]]
    assert [taken(store, "t", 4, types=("x", "y", "send"))] == listed


def test_delayed_jobs_are_listed_by_due_time(store: Store) -> None:
    add(store, "c", delay_ms=300)
    add(store, "b1", "b2", delay_ms=200, priority=-5)
    add(store, "a", delay_ms=100)
    assert pages(store, JobState.DELAYED, 10) == [["a", "b1", "b2", "c"]]


def test_active_jobs_are_listed_by_the_end_of_their_lease(store: Store) -> None:
    add(store, *"abcd")
    for name, length in (("a", 400), ("b", 300), ("c", 900), ("d", 300)):
        assert taken(store, f"t{name}", lease_ms=length) == [name]
    assert pages(store, JobState.ACTIVE, 10) == [["b", "d", "a", "c"]]


def test_ended_jobs_are_listed_newest_first_and_then_by_id(
    store: Store, clock: ManualClock
) -> None:
    complete(store, "b")
    clock.advance(1)
    complete(store, "d", "a", "c")
    clock.advance(1)
    complete(store, "aa")
    assert pages(store, JobState.COMPLETED, 10) == [["aa", "d", "c", "a", "b"]]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("state", ["waiting", "delayed", "active", "completed"])
def test_pages_join_to_the_whole_list(
    store: Store, state: JobState, limit: int
) -> None:
    names = [f"{number}" for number in range(6)]
    if state == "completed":
        complete(store, *names)
        expected = names[::-1]
    else:
        add(store, *names, delay_ms=50 if state == "delayed" else 0)
        if state == "active":
            take(store, "t", 6)
        expected = names
    read = pages(store, JobState(state), limit)
    assert [name for page in read for name in page] == expected
    assert all(len(page) <= limit for page in read)


def test_a_page_that_just_fits_has_no_cursor(store: Store) -> None:
    add(store, "a", "b")
    assert store.list_jobs("mail", JobState.WAITING, limit=2).cursor is None
    assert store.list_jobs("mail", JobState.WAITING, limit=1).cursor is not None


def test_jobs_that_leave_between_pages_do_not_shift_the_next(store: Store) -> None:
    add(store, *"abcdef")
    page = store.list_jobs("mail", JobState.WAITING, limit=2)
    store.remove("a")
    store.remove("b")
    store.remove("c")
    rest = store.list_jobs("mail", JobState.WAITING, limit=9, cursor=page.cursor)
    assert [record.id for record in rest.jobs] == ["d", "e", "f"]


def test_jobs_that_come_between_pages_do_not_repeat_others(
    store: Store, clock: ManualClock
) -> None:
    complete(store, *"abc")
    page = store.list_jobs("mail", JobState.COMPLETED, limit=2)
    clock.advance(1)
    complete(store, "new")
    rest = store.list_jobs("mail", JobState.COMPLETED, limit=9, cursor=page.cursor)
    assert [record.id for record in rest.jobs] == ["a"]


def test_a_job_that_comes_ahead_of_the_cursor_is_seen(store: Store) -> None:
    put(store, new("a", priority=1), new("b", priority=5), new("c", priority=9))
    page = store.list_jobs("mail", JobState.WAITING, limit=1)
    put(store, new("urgent", priority=0), new("between", priority=3))
    rest = store.list_jobs("mail", JobState.WAITING, limit=9, cursor=page.cursor)
    assert [record.id for record in rest.jobs] == ["between", "b", "c"]


def test_equal_fractions_of_priority_page_exactly(store: Store) -> None:
    values = [0.1, 0.1 + 1e-17, 0.2, 0.1 + 0.2, 0.3, 1e300, -1e300, 2**53 + 2.0]
    for number, value in enumerate(values):
        add(store, f"{number}", priority=value)
    read = [name for page in pages(store, JobState.WAITING, 1) for name in page]
    assert read == pages(store, JobState.WAITING, 100)[0]
    assert sorted(read) == [f"{number}" for number in range(len(values))]


# -- cursors ----------------------------------------------------------------------

FORGED = [
    "",
    "x",
    "0",
    "null",
    "[]",
    "{}",
    "é",
    "AAAA",
    "====",
    "W10=",
    "bnVsbA==",
    "%00",
    "\x00",
    "a" * 10_000,
    "1|2|3",
    "('a', 'b')",
    '["waiting"]',
    '["waiting", null, null]',
    "NaN",
    "1e999",
    "' OR 1=1 --",
    "\ud800",
]


@pytest.mark.parametrize("cursor", FORGED, ids=ascii)
def test_a_forged_cursor_is_refused(store: Store, cursor: str) -> None:
    add(store, "a", "b")
    with pytest.raises(InvalidArgumentError):
        store.list_jobs("mail", JobState.WAITING, cursor=cursor)


@pytest.mark.parametrize("state", sorted(TERMINAL | LIVE))
def test_a_cursor_that_was_cut_is_refused_or_harmless(
    store: Store, state: JobState
) -> None:
    add(store, "a", "b")
    cursor = store.list_jobs("mail", JobState.WAITING, limit=1).cursor
    assert cursor is not None
    for length in range(len(cursor)):
        try:
            page = store.list_jobs("mail", state, cursor=cursor[:length])
        except InvalidArgumentError:
            continue
        assert {record.id for record in page.jobs} <= {"a", "b"}


def test_a_cursor_of_another_state_is_refused(store: Store) -> None:
    add(store, "a", "b")
    cursor = store.list_jobs("mail", JobState.WAITING, limit=1).cursor
    for state in (JobState.DELAYED, JobState.FAILED, JobState.ACTIVE):
        with pytest.raises(InvalidArgumentError):
            store.list_jobs("mail", state, cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, MAX_STEP + 1])
def test_a_limit_beyond_a_step_is_refused(store: Store, limit: int) -> None:
    with pytest.raises(InvalidArgumentError):
        store.list_jobs("mail", JobState.WAITING, limit=limit)


# -- queues -----------------------------------------------------------------------


def test_queues_are_listed_by_name(store: Store) -> None:
    for queue in ("b", "a", "c"):
        add(store, f"job-{queue}", queue=queue)
    infos = store.list_queues()
    assert [info.name for info in infos] == ["a", "b", "c"]
    assert infos[0] == store.get_queue("a")


def test_a_queue_counts_every_state(store: Store, clock: ManualClock) -> None:
    add(store, "completed", "failed", "active", "stays")
    take(store, "t", 3)
    settle(store, Complete(job_id="completed", token="t"))
    reason = DeadReason.MANUAL
    settle(store, Bury(job_id="failed", token="t", failure=b"", reason=reason))
    add(store, "cancelled")
    store.cancel("cancelled")
    add(store, "expired", expires_ms=0)
    store.expire_due()
    add(store, "d1", "d2", delay_ms=10)
    info = store.get_queue("mail")
    assert info is not None
    assert info.counts == {
        JobState.WAITING: 1,
        JobState.DELAYED: 2,
        JobState.ACTIVE: 1,
        JobState.COMPLETED: 1,
        JobState.FAILED: 1,
        JobState.CANCELLED: 1,
        JobState.EXPIRED: 1,
    }
    assert store.fsck() == []


def test_a_queue_knows_its_oldest_waiting_job(store: Store, clock: ManualClock) -> None:
    store.declare_queue("other", QueueLimits())
    info = store.get_queue("other")
    assert info is not None
    assert info.oldest_waiting_at is None
    add(store, "a", type="x")
    clock.advance(50)
    add(store, "b", "c")
    for expected, job_id in ((START, "a"), (START + 50, "b"), (START + 50, "c")):
        info = store.get_queue("mail")
        assert info is not None
        assert info.oldest_waiting_at == expected
        store.remove(job_id)
    info = store.get_queue("mail")
    assert info is not None
    assert info.oldest_waiting_at is None
