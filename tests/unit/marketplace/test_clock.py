"""The clock of demos."""

from datetime import UTC, datetime, timedelta

import pytest

from workflows.exceptions import SettingsError, Snooze
from workflows.jobs import put_off, queues
from workflows.marketplace import clock
from workflows.marketplace.backoffice import OutboxJob
from workflows.marketplace.clock import REAL_TIME, MarketplaceClock
from workflows.marketplace.settings import MarketplaceSettings
from workflows.settings import read_settings

pytestmark = pytest.mark.unit

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_the_real_time_is_shown_unless_a_clock_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock, "_real_now", lambda: NOON)
    assert REAL_TIME.now() == NOON
    assert REAL_TIME.real(timedelta(minutes=1)) == timedelta(minutes=1)


def test_a_faster_clock_runs_from_what_it_showed_at_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    morning = datetime(2026, 1, 5, 9, tzinfo=UTC)
    fast = MarketplaceClock(NOON, morning, 60)
    monkeypatch.setattr(clock, "_real_now", lambda: NOON + timedelta(seconds=90))
    assert fast.now() == morning + timedelta(minutes=90)
    assert fast.real(timedelta(minutes=1)) == timedelta(seconds=1)


@pytest.mark.parametrize(
    "value",
    [
        '{"began": "2026-11-24T12:00", "shows": "2026-11-24T12:00Z", "speed": 60}',
        '{"began": "2026-11-24T12:00Z", "shows": "2026-11-24T12:00Z", "speed": 0.5}',
        '{"began": "2026-11-24T12:00Z"}',
    ],
)
def test_a_clock_that_means_nothing_is_a_wrong_setting(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETPLACE_CLOCK", value)
    with pytest.raises(SettingsError, match="MARKETPLACE_CLOCK"):
        read_settings(MarketplaceSettings)


def test_a_clock_is_read_from_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to = '{"began": "2026-11-24T12:00Z", "shows": "2026-11-24T10:00Z", "speed": 60}'
    monkeypatch.setenv("MARKETPLACE_CLOCK", set_to)
    found = read_settings(MarketplaceSettings).marketplace_clock
    assert found == MarketplaceClock(NOON, NOON - timedelta(hours=2), 60)


def test_a_job_that_snoozes_waits_by_the_faster_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fast = MarketplaceClock(NOON, NOON, 60)
    monkeypatch.setattr(put_off, "services", lambda: fast)
    with pytest.raises(Snooze) as later, put_off.put_off_while_unavailable():
        raise Snooze(timedelta(minutes=5), "early")
    assert later.value.delay == timedelta(seconds=5)
    assert str(later.value) == "early"


def test_a_job_of_the_outbox_is_delayed_by_the_faster_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fast = MarketplaceClock(NOON, NOON, 60)
    delays: list[timedelta] = []
    monkeypatch.setattr(queues, "services", lambda: fast)
    monkeypatch.setitem(queues._QUEUES, "q", lambda _job, delay: delays.append(delay))
    job = OutboxJob(job_id="j", queue="q", payload={}, run_at=NOON)
    assert queues.Queues().add(job, timedelta(minutes=5))
    assert delays == [timedelta(seconds=5)]
