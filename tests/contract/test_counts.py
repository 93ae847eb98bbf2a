"""Totals that only grow, and the minutes."""

from tests.clock import START, ManualClock
from tests.contract.builders import (
    INTERVAL_MS,
    add,
    minutes,
    new,
    put,
    settle,
    take,
    totals,
)
from workflows.engine.histogram import bucket
from workflows.engine.states import DeadReason
from workflows.store import (
    Bury,
    Cancel,
    Complete,
    Expire,
    Release,
    Retry,
    Settlement,
    Store,
)

MINUTE_MS = 60_000
FIRST = START // MINUTE_MS


def histogram(store: Store, prefix: str) -> dict[int, int]:
    counts: dict[int, int] = {}
    for minute in store.series("mail", since_minute=0):
        for key, number in minute.counts.items():
            if key[0] == prefix and key[1:].isdigit():
                counts[int(key[1:])] = counts.get(int(key[1:]), 0) + number
    return counts


def test_totals_survive_the_removal_of_their_records(store: Store) -> None:
    add(store, *"abcd")
    take(store, "t", 2)
    settle(store, Complete(job_id="a", token="t"))
    settle(store, Bury(job_id="b", token="t", failure=b"", reason=DeadReason.MANUAL))
    store.cancel("c")
    for name in "abcd":
        store.remove(name)
    expected = {"enqueued": 4, "completed": 1, "dead:manual": 1, "cancelled": 1}
    assert totals(store) == expected


def test_totals_count_each_end_once(store: Store, clock: ManualClock) -> None:
    store.sweep(interval_ms=INTERVAL_MS)
    names = [*"abcdefgh"]
    add(store, *names)
    add(store, "i", expires_ms=10)
    take(store, "t", 8, lease_ms=1000)
    ends: list[Settlement] = [
        Complete(job_id="a", token="t"),
        Retry(job_id="b", token="t"),
        Retry(job_id="c", token="t", spend=False),
        Bury(job_id="d", token="t", failure=b"", reason=DeadReason.TIMEOUT),
        Release(job_id="e", token="t", started=True),
        Release(job_id="f", token="t", started=False),
        Cancel(job_id="g", token="t"),
    ]
    store.exchange(ends)
    store.exchange(ends)
    clock.advance(1000)
    store.sweep(interval_ms=INTERVAL_MS)
    store.expire_due()
    assert totals(store) == {
        "enqueued": 9,
        "completed": 1,
        "retried": 1,
        "dead:timeout": 1,
        "released": 1,
        "cancelled": 1,
        "stalled": 1,
        "expired": 1,
    }
    assert minutes(store) == {
        "enqueued": 9,
        "completed": 1,
        "retried": 1,
        "dead": 1,
        "cancelled": 1,
        "stalled": 1,
        "expired": 1,
    }


def test_a_queue_has_its_own_totals(store: Store) -> None:
    put(store, new("a"), new("b", queue="other"), new("c", queue="other"))
    assert (totals(store), totals(store, "other")) == (
        {"enqueued": 1},
        {"enqueued": 2},
    )


def test_a_retry_from_the_dead_is_not_a_new_job(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    settle(store, Bury(job_id="a", token="t", failure=b"", reason=DeadReason.MANUAL))
    store.retry_dead("a")
    assert totals(store) == {"enqueued": 1, "dead:manual": 1}


# -- minutes ----------------------------------------------------------------------


def test_counts_go_into_the_minute_in_which_they_happen(
    store: Store, clock: ManualClock
) -> None:
    add(store, "a")
    clock.advance(MINUTE_MS)
    add(store, "b", "c")
    clock.advance(2 * MINUTE_MS)
    store.cancel("a")
    series = store.series("mail", since_minute=FIRST)
    assert [minute.minute for minute in series] == [FIRST, FIRST + 1, FIRST + 3]
    assert [dict(minute.counts) for minute in series] == [
        {"enqueued": 1},
        {"enqueued": 2},
        {"cancelled": 1},
    ]


def test_a_series_begins_where_it_is_asked_to(store: Store, clock: ManualClock) -> None:
    for name in "abc":
        add(store, name)
        clock.advance(MINUTE_MS)
    series = store.series("mail", since_minute=FIRST + 1)
    assert [minute.minute for minute in series] == [FIRST + 1, FIRST + 2]
    assert store.series("mail", since_minute=FIRST + 3) == []


def test_minutes_are_kept_for_a_day(store: Store, clock: ManualClock) -> None:
    add(store, "a")
    for hour in range(24):
        clock.advance(3_600_000 - 1)
        add(store, f"h{hour}")
        store.sweep(interval_ms=INTERVAL_MS)
    assert store.series("mail", since_minute=0)[0].minute == FIRST
    assert minutes(store)["enqueued"] == 25


def test_wait_and_run_of_a_spent_attempt_are_measured(
    store: Store, clock: ManualClock
) -> None:
    for name, wait, run, end in (
        ("a", 40, 700, Complete(job_id="a", token="ta")),
        ("b", 0, 0, Retry(job_id="b", token="tb", delay_ms=9_999_999)),
        (
            "c",
            3,
            99_000,
            Bury(job_id="c", token="tc", failure=b"", reason=DeadReason.TIMEOUT),
        ),
    ):
        add(store, name)
        clock.advance(wait)
        take(store, f"t{name}", lease_ms=999_999)
        clock.advance(run)
        settle(store, end)
    assert histogram(store, "w") == {bucket(40): 1, bucket(0): 1, bucket(3): 1}
    assert histogram(store, "r") == {bucket(700): 1, bucket(0): 1, bucket(99_000): 1}


def test_what_spent_no_attempt_is_not_measured(
    store: Store, clock: ManualClock
) -> None:
    store.sweep(interval_ms=INTERVAL_MS)
    add(store, *"abcdefg")
    take(store, "t", 7, lease_ms=1000)
    store.exchange(
        [
            Retry(job_id="a", token="t", spend=False),
            Bury(
                job_id="b",
                token="t",
                failure=b"",
                reason=DeadReason.UNDECODABLE,
                spend=False,
            ),
            Release(job_id="c", token="t", started=True),
            Release(job_id="d", token="t", started=False),
            Cancel(job_id="e", token="t"),
            Expire(job_id="f", token="t"),
        ]
    )
    clock.advance(1000)
    store.sweep(interval_ms=INTERVAL_MS)
    assert histogram(store, "w") == histogram(store, "r") == {}


def test_delays_do_not_count_as_waiting(store: Store, clock: ManualClock) -> None:
    add(store, "a", delay_ms=50_000)
    clock.advance(50_007)
    take(store, "t")
    settle(store, Retry(job_id="a", token="t", delay_ms=30_000))
    clock.advance(30_000)
    take(store, "u")
    settle(store, Complete(job_id="a", token="u"))
    assert histogram(store, "w") == {bucket(7): 1, bucket(0): 1}


def test_durations_around_every_bucket_edge_are_counted_alike(
    store: Store, clock: ManualClock
) -> None:
    spans = sorted(
        {
            max(0, base + step)
            for base in (4, 5, 6, 7, 8, 64, 1000, 65_536)
            for step in (-1, 0, 1)
        }
    )
    expected: dict[int, int] = {}
    for span in spans:
        add(store, f"{span}")
        take(store, f"t{span}", lease_ms=999_999)
        clock.advance(span)
        settle(store, Complete(job_id=f"{span}", token=f"t{span}"))
        expected[bucket(span)] = expected.get(bucket(span), 0) + 1
    assert histogram(store, "r") == expected
