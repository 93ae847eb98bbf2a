"""Real threads on real stores: what two do at once happens once."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from tests.conftest import ADAPTERS, MakeStore
from tests.contract.builders import ME, add, claim, job, new, settle, take, totals
from workflows.engine.states import DeadReason, JobState
from workflows.exceptions import ConflictError
from workflows.store import (
    Bury,
    Complete,
    EnqueueStatus,
    Join,
    QueueLimits,
    Schedule,
    Store,
)

THREADS = 6
ROUNDS = 15
T = TypeVar("T")


@pytest.fixture(params=ADAPTERS)
def stores(
    request: pytest.FixtureRequest, make_store: MakeStore
) -> Iterator[list[Store]]:
    """Two stores of one namespace on real time, shared by the threads."""
    opened = [make_store(request.param) for _ in range(2)]
    yield opened
    assert opened[0].fsck() == []


def race(
    stores: list[Store], turn: int, act: Callable[[Store, int, int], T]
) -> list[T]:
    """Let THREADS threads do `act(store, thread, turn)` at the same moment."""
    barrier = threading.Barrier(THREADS)

    def run(number: int) -> T:
        barrier.wait(30)
        return act(stores[number % len(stores)], number, turn)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def test_a_job_is_granted_to_one_of_many(stores: list[Store]) -> None:
    for number in range(ROUNDS):
        add(stores[0], f"{number}")
        granted = race(stores, number, lambda s, n, r: take(s, f"t{r}-{n}"))
        assert sorted(len(jobs) for jobs in granted) == [0] * (THREADS - 1) + [1]


def test_an_id_is_created_by_one_of_many(stores: list[Store]) -> None:
    for number in range(ROUNDS):
        answers = race(stores, number, lambda s, n, r: add(s, f"{r}")[0].status)
        assert Counter(answers) == {"created": 1, "duplicate": THREADS - 1}


def test_a_dedup_id_is_taken_by_one_of_many(stores: list[Store]) -> None:
    for number in range(ROUNDS):
        answers = race(
            stores,
            number,
            lambda s, n, r: add(s, f"{r}-{n}", dedup_id=f"{r}")[0],
        )
        assert [one.status for one in answers].count(EnqueueStatus.CREATED) == 1
        assert len({one.id for one in answers}) == 1


def test_a_request_sent_by_many_is_accepted_once(stores: list[Store]) -> None:
    for number in range(ROUNDS):
        answers = race(
            stores,
            number,
            lambda s, n, r: s.enqueue([new(f"{r}")], request_id=f"request {r}"),
        )
        assert all(answer == answers[0] for answer in answers)
        assert answers[0][0].status == "created"


def test_a_claim_sent_by_many_is_granted_once(stores: list[Store]) -> None:
    add(stores[0], *(f"{number}" for number in range(ROUNDS * 3)))
    for number in range(ROUNDS):
        granted = race(stores, number, lambda s, n, r: take(s, f"t{r}", 2))
        assert all(
            {one.id for one in jobs} == {one.id for one in granted[0]}
            for jobs in granted
        )
        assert len(granted[0]) == 2


def test_a_settlement_sent_by_many_counts_once(stores: list[Store]) -> None:
    for number in range(ROUNDS):
        add(stores[0], f"{number}")
        take(stores[0], f"t{number}")
        statuses = race(
            stores,
            number,
            lambda s, n, r: settle(
                s,
                Complete(job_id=f"{r}", token=f"t{r}", jobs=(new(f"next-{r}-{n}"),)),
            ),
        )
        assert Counter(statuses) == {"ok": 1, "already": THREADS - 1}
        stores[0].drain("mail")
    assert totals(stores[0]) == {"enqueued": 2 * ROUNDS, "completed": ROUNDS}


def test_a_slot_fires_for_one_of_many(stores: list[Store]) -> None:
    stores[0].upsert_schedule(
        Schedule(id="s", queue="mail", type="send", payload=b"", spec="x", next_at=0)
    )
    for slot in range(ROUNDS):
        fired = race(
            stores,
            slot,
            lambda s, n, r: s.fire_schedule(
                "s", slot=r, next_at=r + 1, jobs=[new(f"sched:s:{r}")]
            ),
        )
        assert Counter(fired) == {"fired": 1, "missed": THREADS - 1}
    assert totals(stores[0]) == {"enqueued": ROUNDS}


def test_a_lock_is_taken_by_one_of_many(stores: list[Store]) -> None:
    add(stores[0], *(f"{number}" for number in range(THREADS)))
    for number in range(THREADS):
        take(stores[0], f"t{number}")
    for number in range(ROUNDS):
        won = race(
            stores,
            number,
            lambda s, n, r: s.put_value_if_absent(
                "lock", f"{r}", b"", lease=(f"{n}", f"t{n}")
            ),
        )
        assert won.count(True) == 1


def test_a_value_is_popped_by_one_of_many(stores: list[Store]) -> None:
    for number in range(ROUNDS):
        stores[0].put_value("result", f"{number}", b"1")
        popped = race(stores, number, lambda s, n, r: s.pop_value("result", f"{r}"))
        assert popped.count(b"1") == 1


def test_a_counter_counts_every_increment(stores: list[Store]) -> None:
    for _ in range(ROUNDS):
        race(stores, 0, lambda s, n, r: s.increment("metric", "n", n))
    assert stores[0].get_values("metric", ["n"]) == {
        "n": str(sum(range(THREADS)) * ROUNDS).encode()
    }


def test_the_members_of_a_join_enqueue_its_job_once(stores: list[Store]) -> None:
    for number in range(ROUNDS):
        names = [f"{number}-{n}" for n in range(THREADS)]
        add(stores[0], *names)
        assert len(take(stores[0], f"t{number}", THREADS)) == THREADS

        def end(store: Store, n: int, r: int) -> str:
            last = new(f"last-{r}", queue="other")
            join = Join(key=f"{r}", index=n, size=THREADS, value=b"", job=last)
            return settle(store, Complete(job_id=f"{r}-{n}", token=f"t{r}", join=join))

        assert race(stores, number, end) == ["ok"] * THREADS
    assert totals(stores[0], "other") == {"enqueued": ROUNDS}


def test_concurrency_holds_over_all_threads(stores: list[Store]) -> None:
    stores[0].declare_queue("mail", QueueLimits(concurrency=3))
    count = 120
    add(stores[0], *(f"{number:03}" for number in range(count)))
    running, most, done = 0, 0, 0
    guard = threading.Lock()

    def work(store: Store, number: int, _: int) -> None:
        nonlocal running, most, done
        for turn in range(count * 3):
            token = f"{number}-{turn}"
            jobs = store.exchange(claim=claim(token, 2)).jobs
            with guard:
                running += len(jobs)
                most = max(most, running)
                if done == count:
                    return
            for leased in jobs:
                with guard:
                    running -= 1
                    done += 1
                assert settle(store, Complete(job_id=leased.id, token=token)) == "ok"

    race(stores, 0, work)
    assert (done, totals(stores[0])["completed"]) == (count, count)
    assert 1 <= most <= 3


def test_many_workers_run_every_job_once(stores: list[Store]) -> None:
    count = 150
    add(stores[0], *(f"{number:03}" for number in range(count)))
    ran: list[str] = []

    def work(store: Store, number: int, _: int) -> None:
        ends: list[Complete] = []
        for turn in range(count):
            token = f"{number}-{turn}"
            answer = store.exchange(ends, claim(token, 4))
            assert set(answer.statuses) <= {"ok"}
            ends = [Complete(job_id=one.id, token=token) for one in answer.jobs]
            ran.extend(one.id for one in answer.jobs)
            if not answer.jobs:
                return

    race(stores, 0, work)
    assert sorted(ran) == [f"{number:03}" for number in range(count)]
    assert totals(stores[0])["completed"] == count


def test_a_cancel_and_a_claim_agree(stores: list[Store]) -> None:
    for number in range(ROUNDS):
        add(stores[0], f"{number}")

        def act(store: Store, n: int, r: int) -> str:
            if n % 2:
                return store.cancel(f"{r}")
            return "granted" if take(store, f"t{r}-{n}") else "empty"

        answers = Counter(race(stores, number, act))
        state = job(stores[0], f"{number}").state
        if state is JobState.CANCELLED:
            assert answers["granted"] == 0
            assert answers["cancelled"] == THREADS // 2
        else:
            assert state is JobState.ACTIVE
            assert answers["granted"] == 1
            assert answers["requested"] == THREADS // 2


def test_a_renewal_and_a_settlement_agree(stores: list[Store]) -> None:
    for number in range(ROUNDS):
        add(stores[0], f"{number}")
        take(stores[0], f"t{number}")

        def act(store: Store, n: int, r: int) -> str:
            if n:
                store.renew(ME, [(f"{r}", f"t{r}")], lease_ms=60_000)
                return "renewed"
            return settle(store, Complete(job_id=f"{r}", token=f"t{r}"))

        assert race(stores, number, act)[0] == "ok"
        assert job(stores[0], f"{number}").lease_until is None


def test_a_dead_letter_is_retried_by_one_of_many(stores: list[Store]) -> None:
    for number in range(ROUNDS):
        name = f"{number}"
        add(stores[0], name)
        take(stores[0], f"t{name}")
        reason = DeadReason.EXHAUSTED
        settle(
            stores[0],
            Bury(job_id=name, token=f"t{name}", failure=b"", reason=reason),
        )

        def act(store: Store, n: int, r: int) -> str:
            try:
                store.retry_dead(f"{r}")
            except ConflictError:
                return "conflict"
            return "retried"

        answers = Counter(race(stores, number, act))
        assert answers == {"retried": 1, "conflict": THREADS - 1}
        stores[0].drain("mail")
