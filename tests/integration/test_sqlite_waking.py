"""What of the process's own commits lets its waiters look again."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract import run_builders as of_runs
from tests.contract.builders import QUEUE, TYPE, add, claim
from workflows.store import (
    UNTIL_CLOSED,
    Close,
    Complete,
    QueueLimits,
    RunStatus,
)
from workflows.stores.sqlite.adapter import SqliteStore
from workflows.stores.sqlite.news import News, end_topic, queue_topic
from workflows.stores.sqlite.waiting import Waiters

QUEUES = {QUEUE: (TYPE,)}
WORK = frozenset({queue_topic(of_runs.WORK, of_runs.ACTIVITY)})


class Looks:
    """Waiters that count how often they look; nothing is ever claimable."""

    def __init__(self) -> None:
        self.number = 0
        self.commits = 0
        self.ended: list[str] = []
        self.waiters = Waiters(lambda: 0, lambda: 0, self._look, lambda _: self.ended)
        self.waiters.claim(QUEUES)

    def _look(self, _: object) -> None:
        self.number += 1

    def commit(self, *topics: tuple[str, ...], missed: int = 0) -> None:
        """Commit, with these topics as news; `missed`: commits of others before."""
        found = self.commits + missed
        self.commits = found + 1
        self.waiters.change(News(frozenset(topics), found, self.commits))


@pytest.fixture
def looks() -> Looks:
    made = Looks()
    made.commit()  # the first one cannot know what others did before
    made.waiters.claim(QUEUES)
    return made


@pytest.mark.parametrize(
    ("commit", "number"),
    [
        (lambda looks: looks.commit(), 0),
        (lambda looks: looks.commit(queue_topic(QUEUE, "another")), 0),
        (lambda looks: looks.commit(queue_topic("another", TYPE)), 0),
        (lambda looks: looks.commit(queue_topic(QUEUE, TYPE)), 1),
        (lambda looks: looks.commit(queue_topic(QUEUE)), 1),
        (lambda looks: looks.commit(missed=1), 1),
    ],
    ids=["none", "type", "queue", "own", "any type", "others"],
)
def test_a_waiter_looks_again_after_news_of_its_own_only(
    looks: Looks, commit: Callable[[Looks], None], number: int
) -> None:
    commit(looks)
    looks.waiters.wait(QUEUES, 0.0)
    assert looks.number == number


@pytest.mark.parametrize("ended", [["r"], ["another"], []])
def test_who_waits_for_an_end_hears_of_others_only_that_it_came(
    looks: Looks, ended: list[str]
) -> None:
    waiters, topics = looks.waiters, frozenset([end_topic("r")])
    with waiters._knowing(end_topic("r"), "r"):
        seen = waiters._seen(topics)
        looks.commit(missed=1)
        assert waiters._seen(topics) == seen
        looks.ended = ended
        waiters._look()  # as the waiter does that looks at the file
        assert (waiters._seen(topics) != seen) == ("r" in ended)
    assert not waiters._ends


def test_the_end_that_another_process_wrote_is_heard_of(
    store: SqliteStore, tmp_path: Path
) -> None:
    of_runs.start(store)
    other = SqliteStore(f"sqlite:///{tmp_path}/jobs.db")
    answers: list[bool] = []
    waiter = threading.Thread(
        target=lambda: answers.append(
            store.wait_run("r", length=UNTIL_CLOSED, timeout_s=60)
        )
    )
    waiter.start()
    while not store._waiters._sleepers:
        pass
    of_runs.do(other, close=Close(status=RunStatus.COMPLETED))
    waiter.join(60)
    assert answers == [True]


def test_a_topic_of_a_wait_that_is_over_is_forgotten(looks: Looks) -> None:
    known = dict(looks.waiters._changes)
    looks.waiters.wait_until(lambda: True, ("run", "r"), 0.0)
    assert looks.waiters._changes == known


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(f"sqlite:///{tmp_path}/jobs.db")


def test_the_end_of_a_job_tells_of_its_place_in_a_limited_queue(
    store: SqliteStore,
) -> None:
    store.declare_queue(QUEUE, QueueLimits(concurrency=1))
    add(store, "1", "2")
    (job,) = store.exchange(claim=claim("t", slots=2)).jobs
    assert not store.wait(QUEUES, 0.0)
    store.exchange([Complete(job_id=job.id, token=job.token)])
    assert store.wait(QUEUES, 0.0)


def test_what_another_process_did_is_seen_by_the_next_commit_here(
    store: SqliteStore, tmp_path: Path
) -> None:
    store.exchange(claim=claim("t"))
    other = SqliteStore(f"sqlite:///{tmp_path}/jobs.db")
    add(other, "1")
    store.put_value("space", "key", b"")
    assert store.wait(QUEUES, 0.0)


def test_an_activity_leased_inline_is_no_news(store: SqliteStore) -> None:
    of_runs.start(store)
    of_runs.take_work(store)  # from here on somebody wants to know
    seen = store._waiters._seen(WORK)
    activity = of_runs.activity("x")
    done = of_runs.do(store, activities=(activity,), inline=of_runs.inline("x"))
    assert [job.id for job in done.jobs] == ["x"]
    assert store._waiters._seen(WORK) == seen


def test_an_activity_for_others_is_news(store: SqliteStore) -> None:
    of_runs.start(store)
    of_runs.take_work(store)
    seen = store._waiters._seen(WORK)
    of_runs.do(store, activities=(of_runs.activity("x"), of_runs.activity("y")))
    assert store._waiters._seen(WORK) != seen
