"""Recurring jobs: one compare-and-set per slot."""

from dataclasses import replace
from typing import Any

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import job, new, settle, take, taken, totals
from workflows.engine.states import JobState
from workflows.exceptions import InvalidArgumentError, NotFoundError
from workflows.store import Complete, FireStatus, NewJob, Schedule, Store

FIRED, OVERLAP, MISSED = FireStatus
SLOT = START + 1000


def schedule(**fields: Any) -> Schedule:
    values = {
        "id": "daily",
        "queue": "mail",
        "type": "send",
        "payload": b"{}",
        "spec": "0 8 * * *",
        "next_at": SLOT,
    }
    return Schedule(**{**values, **fields})


def slot_job(slot: int, **fields: Any) -> NewJob:
    return new(f"sched:daily:{slot}", **fields)


def fire(store: Store, slot: int = SLOT, **fields: Any) -> FireStatus:
    values = {"next_at": slot + 1000, "jobs": [slot_job(slot)]}
    return store.fire_schedule("daily", slot=slot, **{**values, **fields})


def only(store: Store) -> Schedule:
    (stored,) = store.list_schedules()
    return stored


# -- the record -------------------------------------------------------------------


def test_a_new_schedule_is_stored_whole(store: Store) -> None:
    whole = schedule(
        headers=b"h",
        priority=2.5,
        max_stalls=1,
        expires_ms=500,
        declared=True,
        paused=True,
    )
    store.upsert_schedule(whole)
    assert only(store) == whole


def test_a_new_schedule_has_not_fired_whatever_it_says(store: Store) -> None:
    store.upsert_schedule(schedule(last_slot=1, last_fired_at=2, last_job_id="x"))
    assert only(store) == schedule()


def test_schedules_are_listed_by_id(store: Store) -> None:
    for name in ("b", "a", "c"):
        store.upsert_schedule(schedule(id=name))
    assert [one.id for one in store.list_schedules()] == ["a", "b", "c"]


def test_a_schedule_does_not_make_its_queue_known(store: Store) -> None:
    store.upsert_schedule(schedule())
    assert store.list_queues() == []


def test_an_unchanged_spec_keeps_slot_pause_and_last_firing(
    store: Store, clock: ManualClock
) -> None:
    store.upsert_schedule(schedule())
    clock.advance(1000)
    fire(store)
    store.pause_schedule("daily", paused=True)
    before = only(store)
    changed = schedule(payload=b"2", priority=9, queue="other", next_at=SLOT + 77)
    store.upsert_schedule(changed)
    assert only(store) == replace(
        before, payload=b"2", priority=9, queue="other", next_at=SLOT + 1000
    )
    assert only(store).paused


def test_a_changed_spec_moves_the_slot_and_keeps_pause_and_last_firing(
    store: Store, clock: ManualClock
) -> None:
    store.upsert_schedule(schedule())
    clock.advance(1000)
    fire(store)
    store.pause_schedule("daily", paused=True)
    before = only(store)
    store.upsert_schedule(schedule(spec="other", next_at=SLOT + 77))
    assert only(store) == replace(before, spec="other", next_at=SLOT + 77)


def test_an_ended_schedule_stays_ended_while_its_spec_is_unchanged(
    store: Store,
) -> None:
    store.upsert_schedule(schedule(next_at=None))
    store.upsert_schedule(schedule(next_at=SLOT))
    assert only(store).next_at is None
    assert fire(store) is MISSED


def test_a_deleted_schedule_is_gone_and_its_jobs_stay(store: Store) -> None:
    store.upsert_schedule(schedule())
    fire(store)
    assert store.delete_schedule("daily") is True
    assert store.delete_schedule("daily") is False
    assert store.list_schedules() == []
    assert job(store, f"sched:daily:{SLOT}").state is JobState.WAITING
    assert fire(store, SLOT + 1000) is MISSED


def test_an_unknown_schedule_cannot_be_paused(store: Store) -> None:
    with pytest.raises(NotFoundError):
        store.pause_schedule("none", paused=True)


# -- firing -----------------------------------------------------------------------


def test_a_firing_enqueues_its_job_and_moves_the_slot(
    store: Store, clock: ManualClock
) -> None:
    store.upsert_schedule(schedule())
    clock.advance(1500)
    assert fire(store) is FIRED
    assert only(store) == schedule(
        next_at=SLOT + 1000,
        last_slot=SLOT,
        last_fired_at=START + 1500,
        last_job_id=f"sched:daily:{SLOT}",
    )
    assert taken(store, "t") == [f"sched:daily:{SLOT}"]
    assert totals(store) == {"enqueued": 1}


def test_a_slot_fires_once(store: Store) -> None:
    store.upsert_schedule(schedule())
    assert [fire(store) for _ in range(3)] == [FIRED, MISSED, MISSED]
    assert totals(store) == {"enqueued": 1}


@pytest.mark.parametrize("slot", [SLOT - 1, SLOT + 1, SLOT + 1000])
def test_another_slot_than_the_next_is_missed(store: Store, slot: int) -> None:
    store.upsert_schedule(schedule())
    assert fire(store, slot) is MISSED
    assert only(store) == schedule()
    assert store.list_queues() == []


def test_an_unknown_schedule_does_not_fire(store: Store) -> None:
    assert fire(store) is MISSED
    assert store.list_queues() == []


def test_a_paused_schedule_does_not_fire_until_it_is_resumed(store: Store) -> None:
    store.upsert_schedule(schedule())
    store.pause_schedule("daily", paused=True)
    assert fire(store) is MISSED
    assert only(store).next_at == SLOT
    store.pause_schedule("daily", paused=False)
    assert fire(store) is FIRED


def test_slots_fire_one_after_the_other(store: Store) -> None:
    store.upsert_schedule(schedule())
    slots = [SLOT, SLOT + 1000, SLOT + 2000]
    assert [fire(store, slot) for slot in slots] == [FIRED] * 3
    assert taken(store, "t", 5) == [f"sched:daily:{slot}" for slot in slots]


def test_the_last_slot_may_be_the_end(store: Store) -> None:
    store.upsert_schedule(schedule())
    assert fire(store, next_at=None) is FIRED
    assert only(store).next_at is None


def test_a_catch_up_enqueues_many_jobs_in_order(store: Store) -> None:
    store.upsert_schedule(schedule())
    jobs = [slot_job(SLOT + n) for n in (0, 1, 2)]
    assert fire(store, jobs=jobs) is FIRED
    assert only(store).last_job_id == jobs[-1].id
    assert taken(store, "t", 5) == [one.id for one in jobs]


def test_slots_may_be_skipped_without_a_job(store: Store) -> None:
    store.upsert_schedule(schedule())
    fire(store)
    before = only(store)
    assert fire(store, SLOT + 1000, jobs=[]) is FIRED
    assert only(store) == replace(before, next_at=SLOT + 2000, last_slot=SLOT + 1000)


def test_a_job_of_the_slot_that_exists_already_is_skipped(store: Store) -> None:
    store.enqueue([slot_job(SLOT, payload=b"by hand")], request_id="r")
    store.upsert_schedule(schedule())
    assert fire(store) is FIRED
    assert job(store, f"sched:daily:{SLOT}").payload == b"by hand"
    assert totals(store) == {"enqueued": 1}


def test_an_unacceptable_job_does_not_move_the_slot(store: Store) -> None:
    store.upsert_schedule(schedule())
    with pytest.raises(InvalidArgumentError):
        fire(store, jobs=[slot_job(SLOT), new("")])
    assert only(store) == schedule()
    assert store.list_queues() == []


# -- overlap ----------------------------------------------------------------------


@pytest.mark.parametrize("state", ["waiting", "delayed", "active"])
def test_while_the_last_job_lives_an_overlap_is_skipped(
    store: Store, state: str
) -> None:
    store.upsert_schedule(schedule())
    fire(store, jobs=[slot_job(SLOT, delay_ms=5000 if state == "delayed" else 0)])
    if state == "active":
        take(store, "t")
    before = only(store)
    assert fire(store, SLOT + 1000, skip_overlap=True) is OVERLAP
    assert only(store) == replace(before, next_at=SLOT + 2000, last_slot=SLOT + 1000)
    assert totals(store) == {"enqueued": 1}


def test_an_overlap_that_was_skipped_does_not_fire_later(store: Store) -> None:
    store.upsert_schedule(schedule())
    fire(store)
    assert fire(store, SLOT + 1000, skip_overlap=True) is OVERLAP
    assert fire(store, SLOT + 1000) is MISSED


@pytest.mark.parametrize("gone", [True, False])
def test_after_the_last_job_ended_the_next_slot_fires(store: Store, gone: bool) -> None:
    store.upsert_schedule(schedule())
    fire(store)
    take(store, "t")
    settle(store, Complete(job_id=f"sched:daily:{SLOT}", token="t", remove=gone))
    assert fire(store, SLOT + 1000, skip_overlap=True) is FIRED


def test_overlaps_are_allowed_unless_skipped(store: Store) -> None:
    store.upsert_schedule(schedule())
    assert fire(store) is FIRED
    assert fire(store, SLOT + 1000) is FIRED
