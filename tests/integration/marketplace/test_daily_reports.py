"""The acceptance scenarios of `daily-reports`."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial

import pytest

from tests.integration.marketplace import story
from tests.integration.marketplace.conftest import Deliveries
from tests.integration.marketplace.shop import Shop
from tests.integration.marketplace.story import at
from tests.unit.marketplace.rows import message
from workflows.jobs.daily_reports.payload import DailyReports
from workflows.jobs.daily_reports.processor import Reporter
from workflows.marketplace.backoffice import Report, ReportType
from workflows.marketplace.content import TemplateContent
from workflows.marketplace.errors import PermanentError, TransientError
from workflows.marketplace.message import MessageStatus
from workflows.marketplace.reports import build
from workflows.marketplace.reports.trade import bidding

DAY = date(2026, 11, 24)
BOSS = "+9779841000099"
ALL = DailyReports()


@pytest.fixture
def reporter(market: Shop) -> Reporter:
    return Reporter(marketplace=market.market, recipients=(BOSS,), counts=dict)


def midnight(shop: Shop, day: date = DAY) -> None:
    shop.move_to(at("00:00:11", day + timedelta(days=1)))


def run(reporter: Reporter, run_id: str = "run") -> dict[str, object]:
    return reporter.run(ALL, run_id, last_attempt=False)


def force(reporter: Reporter) -> dict[str, object]:
    payload = DailyReports(business_date=DAY, force=True)
    return reporter.run(payload, "by hand", last_attempt=False)


def report(shop: Shop, kind: ReportType, day: date = DAY) -> Report:
    with shop.storage.begin() as work:
        found = work.reports.newest(kind, day)
    assert found is not None
    return found


def texts(shop: Shop, deliveries: Deliveries) -> list[tuple[str, ...]]:
    shop.run_for(60)
    contents = [m.content for m in deliveries.sent if m.purpose == "daily_report"]
    return [c.body_params for c in contents if isinstance(c, TemplateContent)]


def test_dr_1_and_2_an_order_belongs_to_the_local_day(
    market: Shop, reporter: Reporter
) -> None:
    for moment in (
        "2026-11-23T18:30:00Z",
        "2026-11-24T18:14:59.999999Z",
        "2026-11-24T18:15:00Z",
    ):
        told = partial(datetime.fromisoformat, moment)
        market.market = replace(market.market, clock=told)
        story.place(market, f"ord_{moment[11:16].replace(':', '_')}")
    market.market = replace(market.market, clock=market.now)
    reporter = replace(reporter, marketplace=market.market)
    midnight(market)
    run(reporter)
    assert report(market, ReportType.ORDERS).content["placed"] == 2
    midnight(market, DAY + timedelta(days=1))
    run(reporter, "next")
    next_day = report(market, ReportType.ORDERS, DAY + timedelta(days=1))
    assert next_day.content["placed"] == 1


def test_dr_3_a_day_without_events_is_reported_as_such(
    market: Shop, reporter: Reporter, deliveries: Deliveries
) -> None:
    midnight(market)
    assert run(reporter) == {"outcome": "done", "days": ["2026-11-24"]}
    for kind in ReportType:
        assert report(market, kind).is_empty
    orders = report(market, ReportType.ORDERS).content
    assert (orders["gmvPaisa"], orders["averagePaisa"]) == (0, None)
    assert texts(market, deliveries) == [("2026-11-24 report", "no activity")]


def test_dr_4_two_schedulers_report_once(
    market: Shop, reporter: Reporter, deliveries: Deliveries
) -> None:
    midnight(market)
    run(reporter, "first")
    assert run(reporter, "second") == {"outcome": "noop:claimed"}
    assert len(texts(market, deliveries)) == 1


def test_dr_5_missed_days_are_built_oldest_first(
    market: Shop, reporter: Reporter
) -> None:
    midnight(market, date(2026, 11, 20))
    run(reporter, "before the outage")
    market.move_to(at("09:12", DAY))
    done = run(reporter, "after it")
    assert done["days"] == ["2026-11-21", "2026-11-22", "2026-11-23"]


def test_dr_6_the_figures_of_orders_are_of_those_secured(
    market: Shop, reporter: Reporter, deliveries: Deliveries
) -> None:
    story.place(market)
    story.pay(market)
    story.place(market, "unpaid")
    market.run_for(31 * 60)
    midnight(market)
    run(reporter)
    orders = report(market, ReportType.ORDERS).content
    assert (orders["placed"], orders["secured"]) == (2, 1)
    assert orders["expired"]["unpaid"] == 1
    assert (orders["gmvPaisa"], orders["averagePaisa"]) == (story.TOTAL, story.TOTAL)
    payments = report(market, ReportType.PAYMENTS).content
    assert payments["capturedPaisa"] == {"esewa": story.TOTAL}
    assert texts(market, deliveries) == [
        (
            "2026-11-24 report",
            "1 orders, GMV Rs. 48,590.00, received Rs. 48,590.00, owed Rs. 0.00",
        )
    ]


def test_a_day_of_bidding_is_reported(market: Shop, reporter: Reporter) -> None:
    story.three_bids(market)
    story.go(market, "10:26")
    midnight(market)
    run(reporter)
    content = report(market, ReportType.BIDDING).content
    assert content["roundsClosed"] == {"awarded": 1}
    assert content["savedPaisa"] == 4_300_000 - 3_995_000
    assert (content["bidsValid"], content["medianSecondsToAward"]) == (3, 620)
    suppliers = report(market, ReportType.SUPPLIERS).content
    assert (suppliers["offers"], suppliers["timedOut"], suppliers["strikes"]) == (
        2,
        1,
        1,
    )
    assert suppliers["acceptedBps"] == 0


def test_bt_12_a_round_over_midnight_is_closed_on_the_new_day(
    market: Shop, reporter: Reporter
) -> None:
    market.run_until(at("23:55"))
    story.place(market)
    story.pay(market)
    next_day = DAY + timedelta(days=1)
    market.run_until(at("00:01", next_day))
    story.bid(market, "C", 3_995_000)
    market.run_until(at("00:06", next_day))
    run(reporter)
    assert report(market, ReportType.ORDERS).content["placed"] == 1
    assert report(market, ReportType.BIDDING).content["roundsClosed"] == {}
    midnight(market, next_day)
    run(reporter, "next night")
    assert report(market, ReportType.ORDERS, next_day).content["placed"] == 0
    new = report(market, ReportType.BIDDING, next_day).content
    assert new["roundsClosed"] == {"awarded": 1}


def test_dr_7_a_rebuild_makes_a_revision_only_of_other_figures(
    market: Shop, reporter: Reporter, deliveries: Deliveries
) -> None:
    with market.storage.begin() as work:
        row = work.messages.add(message())
    midnight(market)
    run(reporter)
    for _ in range(2):
        assert force(reporter)["outcome"] == "noop:unchanged"
    with market.storage.begin() as work:
        work.messages.save(row, replace(row, status=MessageStatus.DELIVERED))
    assert force(reporter)["built"] == ["messaging"]
    assert report(market, ReportType.MESSAGING).revision == 2
    assert [title for title, _ in texts(market, deliveries)] == [
        "2026-11-24 report",
        "2026-11-24 corrected",
    ]


def test_dr_7_the_next_night_corrects_silently(
    market: Shop, reporter: Reporter, deliveries: Deliveries
) -> None:
    with market.storage.begin() as work:
        row = work.messages.add(message())
    midnight(market)
    run(reporter)
    with market.storage.begin() as work:
        work.messages.save(row, replace(row, status=MessageStatus.DELIVERED))
    assert len(texts(market, deliveries)) == 1
    midnight(market, DAY + timedelta(days=1))
    run(reporter, "next night")
    assert report(market, ReportType.MESSAGING).revision == 2
    titles = [title for title, _ in texts(market, deliveries)]
    assert titles == ["2026-11-24 report", "2026-11-25 report"]


def test_dr_8_one_report_that_fails_keeps_no_other_waiting(
    market: Shop,
    reporter: Reporter,
    deliveries: Deliveries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    midnight(market)
    monkeypatch.setitem(build.BUILDERS, ReportType.BIDDING, fail)
    with pytest.raises(TransientError, match="bidding"):
        run(reporter)
    with market.storage.begin() as work:
        assert len(work.reports.where()) == 5
    assert texts(market, deliveries) == []
    monkeypatch.setitem(build.BUILDERS, ReportType.BIDDING, bidding)
    run(reporter)
    with market.storage.begin() as work:
        assert len(work.reports.where()) == 6
    assert len(texts(market, deliveries)) == 1


def test_dr_9_a_day_that_has_not_ended_is_not_reported(
    market: Shop, reporter: Reporter
) -> None:
    midnight(market)
    today = DailyReports(business_date=DAY + timedelta(days=1))
    with pytest.raises(PermanentError, match="day_not_finished"):
        reporter.run(today, "by hand", last_attempt=False)
