"""What a running job says of itself: fenced, kept with its record, gone with it."""

from dataclasses import replace

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import (
    INTERVAL_MS,
    add,
    job,
    settle,
    take,
)
from workflows.engine.states import DeadReason
from workflows.exceptions import InvalidArgumentError, NotFoundError
from workflows.store import (
    MAX_LOG,
    MAX_LOG_LINE,
    MAX_STEP,
    Bury,
    Complete,
    LogLine,
    Report,
    Retry,
    Store,
)


def said(store: Store, job_id: str = "a") -> list[str]:
    return [line.text for line in store.list_log(job_id).lines]


def test_a_report_is_kept_with_its_job(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    news = Report(progress=b"50", checkpoint=b"[7]", payload=b"{1}", lines=("x", "y"))
    assert store.report("a", "t", news)
    record = job(store, "a")
    assert (record.progress, record.checkpoint) == (b"50", b"[7]")
    assert (record.payload, record.logged) == (b"{1}", 2)
    assert said(store) == ["x", "y"]


def test_what_a_report_leaves_out_stays(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    store.report("a", "t", Report(progress=b"1", checkpoint=b"2", lines=("x",)))
    before = job(store, "a")
    assert store.report("a", "t", Report(progress=b""))
    assert job(store, "a") == replace(before, progress=b"")
    assert store.report("a", "t", Report())
    assert job(store, "a") == replace(before, progress=b"")


@pytest.mark.parametrize("token", ["s", "", "u"])
def test_only_the_lease_that_holds_may_report(store: Store, token: str) -> None:
    add(store, "a", "b")
    take(store, "s")
    settle(store, Retry(job_id="a", token="s"))
    take(store, "b-token")
    take(store, "t")
    before = job(store, "a")
    news = Report(progress=b"1", checkpoint=b"2", payload=b"3", lines=("x",))
    assert not store.report("a", token, news)
    assert not store.report("none", "t", news)
    assert job(store, "a") == before
    assert said(store) == []


def test_a_job_that_ended_reports_no_more(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    settle(store, Complete(job_id="a", token="t"))
    assert not store.report("a", "t", Report(progress=b"1"))


def test_a_swept_lease_reports_no_more(store: Store, clock: ManualClock) -> None:
    store.sweep(interval_ms=INTERVAL_MS)
    add(store, "a")
    take(store, "t", lease_ms=1000)
    clock.advance(1000)
    assert store.report("a", "t", Report(progress=b"1"))  # ran out, but is not swept
    store.sweep(interval_ms=INTERVAL_MS)
    assert not store.report("a", "t", Report(progress=b"2"))
    assert job(store, "a").progress == b"1"


def test_reports_outlive_attempts_and_the_dead_letter_queue(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    news = Report(progress=b"1", checkpoint=b"2", payload=b"3", lines=("x",))
    store.report("a", "t", news)
    settle(store, Bury(job_id="a", token="t", failure=b"", reason=DeadReason.EXHAUSTED))
    store.retry_dead("a")
    (leased,) = take(store, "u")
    assert leased.payload == b"3"
    store.report("a", "u", Report(lines=("y",)))
    record = job(store, "a")
    assert (record.progress, record.checkpoint, record.logged) == (b"1", b"2", 2)
    assert said(store) == ["x", "y"]


def test_a_new_job_inherits_nothing(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    store.report("a", "t", Report(progress=b"1", checkpoint=b"2", lines=("x",)))
    settle(store, Complete(job_id="a", token="t"))
    store.remove("a")
    add(store, "a")
    record = job(store, "a")
    assert (record.progress, record.checkpoint, record.logged) == (b"", b"", 0)
    assert said(store) == []
    assert store.fsck() == []


def test_lines_are_numbered_and_stamped(store: Store, clock: ManualClock) -> None:
    add(store, "a")
    take(store, "t")
    store.report("a", "t", Report(lines=("zwölf 12",)))
    clock.advance(70)
    store.report("a", "t", Report(lines=("", "two words")))
    page = store.list_log("a")
    assert page.lines == (
        LogLine(1, START, "zwölf 12"),
        LogLine(2, START + 70, ""),
        LogLine(3, START + 70, "two words"),
    )
    assert not page.more


def test_lines_are_read_in_pages(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    store.report("a", "t", Report(lines=("1", "2", "3", "4", "5")))
    page = store.list_log("a", after=1, limit=2)
    assert ([line.n for line in page.lines], page.more) == ([2, 3], True)
    page = store.list_log("a", after=3, limit=2)
    assert ([line.n for line in page.lines], page.more) == ([4, 5], False)
    assert store.list_log("a", after=99).lines == ()
    with pytest.raises(NotFoundError):
        store.list_log("none")


def test_only_the_newest_lines_are_kept(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    store.report("a", "t", Report(lines=tuple(map(str, range(1, MAX_LOG + 1)))))
    store.report("a", "t", Report(lines=("last", "but one")))
    page = store.list_log("a", after=1, limit=2)
    assert [(line.n, line.text) for line in page.lines] == [(3, "3"), (4, "4")]
    assert job(store, "a").logged == MAX_LOG + 2
    assert len(store.list_log("a").lines) == MAX_LOG
    assert store.fsck() == []


@pytest.mark.parametrize(
    "lines",
    [("x" * (MAX_LOG_LINE + 1),), ("\0",), ("\ud800",), ("",) * (MAX_STEP + 1)],
    ids=["long", "NUL", "surrogate", "many"],
)
def test_lines_that_cannot_be_kept_are_refused(
    store: Store, lines: tuple[str, ...]
) -> None:
    add(store, "a")
    take(store, "t")
    with pytest.raises(InvalidArgumentError):
        store.report("a", "t", Report(progress=b"1", lines=lines))
    assert job(store, "a").progress == b""
