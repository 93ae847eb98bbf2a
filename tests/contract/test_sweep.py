"""Taking back leases that ran out, and not taking them back after a gap."""

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import (
    INTERVAL_MS,
    ME,
    add,
    job,
    minutes,
    settle,
    take,
    taken,
    totals,
)
from workflows.engine.states import DeadReason, JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import Complete, Store, Swept


def sweep(store: Store, **fields: int) -> list[tuple[str, str]]:
    swept = store.sweep(interval_ms=INTERVAL_MS, **fields)
    return [(one.job_id, one.outcome) for one in swept]


def test_a_lease_that_ran_out_costs_a_stall_and_no_attempt(
    store: Store, clock: ManualClock
) -> None:
    sweep(store)
    add(store, "a")
    take(store, "t", lease_ms=1000)
    clock.advance(1000)
    swept = store.sweep(interval_ms=INTERVAL_MS)
    assert swept == [Swept("a", "mail", "send", "stalled")]
    record = job(store, "a")
    assert (record.state, record.stalls) == (JobState.WAITING, 1)
    assert (record.attempts_made, record.lease_until) == (0, None)
    assert (record.owner, record.ready_at) == (ME, START + 1000)
    (attempt,) = record.attempts
    assert (attempt.attempt, attempt.outcome) == (1, "stalled")
    assert (attempt.started_at, attempt.ended_at) == (START, START + 1000)
    assert totals(store) == {"enqueued": 1, "stalled": 1}
    assert take(store, "u")[0].attempt == 1


def test_a_lease_that_still_runs_is_left_alone(
    store: Store, clock: ManualClock
) -> None:
    sweep(store)
    add(store, "a")
    take(store, "t", lease_ms=1000)
    clock.advance(999)
    assert sweep(store) == []
    assert job(store, "a").state is JobState.ACTIVE


def test_a_sweep_may_be_repeated(store: Store, clock: ManualClock) -> None:
    sweep(store)
    add(store, "a")
    take(store, "t", lease_ms=1000)
    clock.advance(1000)
    assert sweep(store) == [("a", "stalled")]
    assert sweep(store) == []
    assert job(store, "a").stalls == 1


def test_leases_are_swept_in_order_of_their_end(
    store: Store, clock: ManualClock
) -> None:
    sweep(store)
    add(store, *"abcd")
    for name, length in (("a", 400), ("b", 300), ("c", 9000), ("d", 300)):
        assert taken(store, f"t{name}", lease_ms=length) == [name]
    clock.advance(1000)
    swept = sweep(store)
    assert swept == [("b", "stalled"), ("d", "stalled"), ("a", "stalled")]


def test_a_sweep_takes_no_more_than_its_limit(store: Store, clock: ManualClock) -> None:
    sweep(store)
    add(store, *"abcde")
    take(store, "t", 5, lease_ms=1000)
    clock.advance(1000)
    assert sweep(store, limit=2) == [("a", "stalled"), ("b", "stalled")]
    assert len(sweep(store, limit=2)) == 2
    assert len(sweep(store, limit=2)) == 1


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_limit_beyond_a_step_is_refused(store: Store, limit: int) -> None:
    with pytest.raises(InvalidArgumentError):
        store.sweep(interval_ms=INTERVAL_MS, limit=limit)


def test_one_stall_more_than_allowed_makes_a_dead_letter(
    store: Store, clock: ManualClock
) -> None:
    sweep(store)
    add(store, "a", max_stalls=2)
    outcomes = []
    for token in "tuv":
        assert taken(store, token, lease_ms=1000) == ["a"]
        clock.advance(1000)
        outcomes += sweep(store)
    assert outcomes == [("a", "stalled"), ("a", "stalled"), ("a", "dead")]
    record = job(store, "a")
    assert (record.state, record.reason) == (JobState.FAILED, DeadReason.STALLED)
    assert (record.stalls, record.attempts_made) == (3, 0)
    assert record.finished_at == START + 3000
    assert [one.outcome for one in record.attempts] == ["stalled"] * 3
    assert totals(store) == {"enqueued": 1, "stalled": 3, "dead:stalled": 1}
    assert minutes(store) == {"enqueued": 1, "stalled": 3, "dead": 1}
    assert taken(store, "w") == []


def test_three_stalls_are_forgiven_by_default(store: Store, clock: ManualClock) -> None:
    sweep(store)
    add(store, "a")
    for token in "tuvw":
        assert job(store, "a").state is JobState.WAITING
        assert taken(store, token, lease_ms=1000) == ["a"]
        clock.advance(1000)
        sweep(store)
    assert job(store, "a").state is JobState.FAILED


def test_a_poison_job_among_a_hundred_leaves_one_dead_letter(
    store: Store, clock: ManualClock
) -> None:
    """Each process that runs `poison` dies with all that it had claimed."""
    sweep(store)
    names = [f"{number:03}" for number in range(100)]
    add(store, *names[:50], "poison", *names[50:])
    for round_number in range(500):
        token = f"t{round_number}"
        jobs = take(store, token, 4, prefetch=6, lease_ms=1000)
        if not jobs:
            break
        running = [leased.id for leased in jobs[:4]]
        if "poison" in running:
            clock.advance(1000)
            sweep(store)
            continue
        store.exchange([Complete(job_id=leased.id, token=token) for leased in jobs[:4]])
        store.renew(ME, [(leased.id, token) for leased in jobs[4:]], lease_ms=1000)
        for leased in jobs[4:]:
            assert leased.stalls == 0
            settle(store, Complete(job_id=leased.id, token=token))
    dead = store.list_jobs("mail", JobState.FAILED).jobs
    assert [record.id for record in dead] == ["poison"]
    assert len(store.list_jobs("mail", JobState.COMPLETED, limit=200).jobs) == 100


# -- the gap ----------------------------------------------------------------------


def test_after_a_gap_leases_are_extended_by_their_own_length(
    store: Store, clock: ManualClock
) -> None:
    sweep(store)
    add(store, "a", "b")
    take(store, "t", 1, lease_ms=1000)
    take(store, "u", 1, lease_ms=3000)
    clock.advance(2 * INTERVAL_MS + 1)
    assert sweep(store) == [("a", "extended"), ("b", "extended")]
    assert job(store, "a").lease_until == clock.now + 1000
    assert job(store, "b").lease_until == clock.now + 3000
    assert (job(store, "a").state, job(store, "a").stalls) == (JobState.ACTIVE, 0)


def test_two_intervals_are_not_a_gap(store: Store, clock: ManualClock) -> None:
    sweep(store)
    add(store, "a")
    take(store, "t", lease_ms=1000)
    clock.advance(2 * INTERVAL_MS)
    assert sweep(store) == [("a", "stalled")]


def test_the_first_sweep_ever_is_after_a_gap(store: Store, clock: ManualClock) -> None:
    add(store, "a")
    take(store, "t", lease_ms=1000)
    clock.advance(1000)
    assert sweep(store) == [("a", "extended")]


def test_after_a_gap_leases_that_end_within_an_interval_are_extended_too(
    store: Store, clock: ManualClock
) -> None:
    sweep(store)
    clock.advance(2 * INTERVAL_MS + 1)
    add(store, "soon", "later")
    take(store, "t", 1, lease_ms=INTERVAL_MS - 1)
    take(store, "u", 1, lease_ms=INTERVAL_MS)
    assert sweep(store) == [("soon", "extended")]
    assert job(store, "later").lease_until == clock.now + INTERVAL_MS


def test_living_workers_renew_after_a_gap_and_lose_nothing(
    store: Store, clock: ManualClock
) -> None:
    sweep(store)
    add(store, "alive", "gone")
    take(store, "t", 2, lease_ms=1000)
    clock.advance(3_600_000)
    assert len(sweep(store)) == 2
    assert store.renew(ME, [("alive", "t")], lease_ms=1000).lost == ()
    clock.advance(500)
    store.renew(ME, [("alive", "t")], lease_ms=1000)
    clock.advance(500)
    assert sweep(store) == [("gone", "stalled")]
    assert settle(store, Complete(job_id="alive", token="t")) == "ok"


def test_the_same_lease_is_never_extended_twice(
    store: Store, clock: ManualClock
) -> None:
    sweep(store)
    add(store, "a")
    take(store, "t", lease_ms=1000)
    clock.advance(60_000)
    assert sweep(store) == [("a", "extended")]
    clock.advance(60_000)
    assert sweep(store) == [("a", "stalled")]


def test_an_extended_lease_is_not_extended_again_while_it_runs(
    store: Store, clock: ManualClock
) -> None:
    sweep(store)
    add(store, "a")
    take(store, "t", lease_ms=12_000)
    clock.advance(11_000)
    assert sweep(store) == [("a", "extended")]
    clock.advance(11_000)
    assert sweep(store) == []
    assert job(store, "a").lease_until == START + 23_000


def test_a_renewed_lease_may_be_extended_again(
    store: Store, clock: ManualClock
) -> None:
    sweep(store)
    add(store, "a")
    take(store, "t", lease_ms=1000)
    for _ in range(3):
        clock.advance(60_000)
        assert sweep(store) == [("a", "extended")]
        store.renew(ME, [("a", "t")], lease_ms=1000)


def test_the_next_lease_of_a_job_may_be_extended_too(
    store: Store, clock: ManualClock
) -> None:
    sweep(store)
    add(store, "a")
    take(store, "t", lease_ms=1000)
    clock.advance(60_000)
    sweep(store)
    clock.advance(1000)
    assert sweep(store) == [("a", "stalled")]
    take(store, "u", lease_ms=1000)
    clock.advance(60_000)
    assert sweep(store) == [("a", "extended")]


def test_a_gap_lasts_until_every_lease_was_extended(
    store: Store, clock: ManualClock
) -> None:
    sweep(store)
    add(store, *"abcde")
    take(store, "t", 5, lease_ms=1000)
    clock.advance(60_000)
    assert sweep(store, limit=2) == [("a", "extended"), ("b", "extended")]
    assert sweep(store, limit=2) == [("c", "extended"), ("d", "extended")]
    assert sweep(store, limit=2) == [("e", "extended")]
    assert sweep(store, limit=2) == []
    clock.advance(1000)
    assert len(sweep(store)) == 5


def test_a_clock_that_jumps_forward_is_a_gap(store: Store, clock: ManualClock) -> None:
    for _ in range(3):
        sweep(store)
        clock.advance(INTERVAL_MS)
    add(store, "a")
    take(store, "t")
    clock.advance(86_400_000)
    assert sweep(store) == [("a", "extended")]
    assert job(store, "a").stalls == 0


def test_a_sweep_touches_only_active_jobs(store: Store, clock: ManualClock) -> None:
    sweep(store)
    add(store, "w")
    add(store, "d", delay_ms=60_000)
    add(store, "f")
    take(store, "t", 2)
    settle(store, Complete(job_id="w", token="t"))
    settle(store, Complete(job_id="f", token="t"))
    clock.advance(INTERVAL_MS)
    assert sweep(store) == []


def test_a_stall_takes_the_locks_of_its_lease(store: Store, clock: ManualClock) -> None:
    sweep(store)
    add(store, "a", "b")
    take(store, "t", 1, lease_ms=1000)
    take(store, "u", 1, lease_ms=9000)
    store.put_value_if_absent("lock", "x", b"", lease=("a", "t"))
    store.put_value_if_absent("lock", "y", b"", lease=("b", "u"))
    clock.advance(1000)
    sweep(store)
    assert list(store.list_values("lock")) == ["y"]
