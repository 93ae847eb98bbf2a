"""Timers: when they fire, in what order, and what takes them away."""

from tests.clock import START, ManualClock
from tests.contract.builders import add, claim
from tests.contract.run_builders import (
    TASK,
    TASKS,
    commit,
    do,
    entry,
    exchange,
    inbox,
    item,
    load,
    ref,
    send,
    start,
    take_task,
    take_tasks,
    timer,
)
from workflows.store import MAX_DUE, NewTimer, Store


def test_a_timer_fires_when_it_is_due_and_not_before(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    do(run_store, timers=(timer("x", START + 100),))
    assert run_store.promote_due() == (0, 100)
    clock.advance(99)
    assert run_store.promote_due() == (0, 1)
    assert inbox(run_store) == []
    clock.advance(1)
    assert run_store.promote_due() == (1, None)
    assert load(run_store).inbox == (item(1, START + 100, "timer_fired", b"x"),)
    assert take_task(run_store).run_id == "r"
    assert run_store.promote_due() == (0, None)
    assert run_store.fsck() == []


def test_a_claim_fires_due_timers_first(run_store: Store, clock: ManualClock) -> None:
    start(run_store)
    do(run_store, timers=(timer("x", START + 100),))
    clock.advance(100)
    assert take_task(run_store).run_id == "r"
    assert inbox(run_store) == [(1, "timer_fired", b"x")]


def test_a_claim_that_finds_nothing_says_when_the_next_timer_is_due(
    run_store: Store,
) -> None:
    start(run_store)
    do(run_store, timers=(timer("x", START + 100), timer("y", START + 70)))
    wanted = claim("t", queues=(TASKS,), types=(TASK,))
    assert run_store.exchange(claim=wanted).next_in_ms == 70


def test_timers_fire_in_order_of_time_run_and_key(
    run_store: Store, clock: ManualClock
) -> None:
    for name in ("b", "a"):
        start(run_store, name, f"w-{name}")
        do(
            run_store,
            name,
            timers=(
                timer("3", START + 10),
                timer("2", START + 20),
                timer("1", START + 10),
            ),
        )
    clock.advance(30)
    assert run_store.promote_due(limit=3) == (3, 0)
    assert [data for _, _, data in inbox(run_store, "a")] == [b"1", b"3"]
    assert [data for _, _, data in inbox(run_store, "b")] == [b"1"]
    assert run_store.promote_due() == (3, None)
    assert [data for _, _, data in inbox(run_store, "a")] == [b"1", b"3", b"2"]
    assert [data for _, _, data in inbox(run_store, "b")] == [b"1", b"3", b"2"]
    assert len(take_tasks(run_store)) == 2


def test_the_limit_holds_for_delayed_jobs_and_timers_apart(
    run_store: Store, clock: ManualClock
) -> None:
    add(run_store, "j1", "j2", delay_ms=10)
    start(run_store)
    do(run_store, timers=(timer("x", START + 10), timer("y", START + 10)))
    clock.advance(10)
    assert run_store.promote_due(limit=1) == (2, 0)
    assert run_store.promote_due(limit=1) == (2, None)


def test_a_timer_whose_entry_is_dropped_makes_no_task(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    cancel = NewTimer(key="x", due_at=START + 10, entry=entry("cancel"))
    send(run_store, entry("cancel"))
    do(run_store, timers=(cancel,))
    clock.advance(10)
    assert run_store.promote_due() == (1, None)
    assert inbox(run_store) == []
    assert take_tasks(run_store) == ()


def test_runs_whose_timers_fire_get_their_tasks_in_that_order(
    run_store: Store, clock: ManualClock
) -> None:
    names = [f"r{number}" for number in range(9)]
    for name in names:
        start(run_store, name, f"w-{name}")
        due_at = START + 10 - int(name[1:])
        do(run_store, name, timers=(timer("x", due_at),))
    clock.advance(10)
    assert [job.run_id for job in take_tasks(run_store)] == names[::-1]


def test_a_cancelled_timer_never_fires(run_store: Store, clock: ManualClock) -> None:
    start(run_store)
    do(run_store, timers=(timer("x", START + 10), timer("y", START + 10)))
    send(run_store)
    do(run_store, cancel_timers=("x", "unknown"))
    clock.advance(10)
    assert run_store.promote_due() == (1, None)
    assert [data for _, _, data in inbox(run_store)] == [b"y"]


def test_a_timer_that_is_due_already_fires_with_the_next_step(run_store: Store) -> None:
    start(run_store)
    do(run_store, timers=(timer("x", START - 5),))
    assert inbox(run_store) == []
    assert run_store.promote_due() == (1, None)
    assert inbox(run_store) == [(1, "timer_fired", b"x")]


def test_keys_of_timers_are_their_run_s_own(
    run_store: Store, clock: ManualClock
) -> None:
    for name in ("a", "b"):
        start(run_store, name, f"w-{name}")
        do(run_store, name, timers=(timer("x", START + 10),))
    send(run_store, to=ref("a", "w-a"))
    do(run_store, "a", cancel_timers=("x",))
    clock.advance(10)
    assert run_store.promote_due() == (1, None)
    assert inbox(run_store, "a") == []
    assert inbox(run_store, "b") == [(1, "timer_fired", b"x")]


def test_a_timer_fires_into_the_inbox_of_a_run_whose_task_runs(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    do(run_store, timers=(timer("x", START + 10),))
    send(run_store)
    take_task(run_store)
    clock.advance(10)
    assert run_store.promote_due() == (1, None)
    assert take_tasks(run_store, "t2") == ()
    assert exchange(run_store, commit(run_store, taken=1)).statuses == ("ok",)
    assert inbox(run_store) == [(2, "timer_fired", b"x")]
    assert take_task(run_store, "t3").run_id == "r"


def test_timers_that_are_due_together_fire_in_bounded_steps(
    adapter: Store, clock: ManualClock
) -> None:
    start(adapter)
    many = 2 * MAX_DUE + 1
    do(adapter, timers=tuple(timer(f"{n}", START + 100) for n in range(many)))
    clock.advance(100)
    claimed = adapter.exchange(claim=claim("t", queues=("else",), types=("else",)))
    assert (claimed.jobs, claimed.next_in_ms) == ((), 0)
    assert len(inbox(adapter)) == MAX_DUE
    assert adapter.promote_due() == (MAX_DUE, 0)
    assert adapter.promote_due() == (1, None)
    assert adapter.fsck() == []
