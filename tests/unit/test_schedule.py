"""Which moments a recurring job fires at."""

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workflows.engine.schedule import (
    END_MS,
    EPOCH,
    LATE_MS,
    LOOK_AHEAD_MINUTES,
    MAX_CATCH_UP,
    MINUTE_MS,
    SCAN_MINUTES,
    CatchUp,
    CronSpec,
    Due,
    IntervalSpec,
    OpaqueSpec,
    Spec,
    Timetable,
    due_slots,
    format_timetable,
    next_slot,
    parse_timetable,
)
from workflows.exceptions import InvalidArgumentError

pytestmark = pytest.mark.unit

DAY_MS = 24 * 3_600_000


def ms(text: str) -> int:
    """Epoch ms of an ISO time; UTC if it has no offset."""
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(milliseconds=1)


def iso(slot: int, tz: str = "UTC") -> str:
    return (EPOCH + timedelta(milliseconds=slot)).astimezone(ZoneInfo(tz)).isoformat()


def slots(spec: Spec, after: str, count: int) -> list[int]:
    found, at = [], ms(after)
    for _ in range(count):
        slot = next_slot(spec, at)
        assert slot is not None
        found.append(at := slot)
    return found


def fired(expression: str, tz: str, after: str, count: int) -> list[str]:
    spec = CronSpec(expression, tz)
    return [iso(slot, tz) for slot in slots(spec, after, count)]


# -- cron ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("*/2 * * * *", ["2026-03-01T10:02:00", "2026-03-01T10:04:00"]),
        ("0 2 * * *", ["2026-03-02T02:00:00", "2026-03-03T02:00:00"]),
        ("30 5 10 * * *", ["2026-03-01T10:05:30", "2026-03-02T10:05:30"]),
        ("*/20 * * * * *", ["2026-03-01T10:00:20", "2026-03-01T10:00:40"]),
        ("0 9 * * MON-FRI", ["2026-03-02T09:00:00", "2026-03-03T09:00:00"]),
        ("0 0 13 * FRI", ["2026-03-06T00:00:00", "2026-03-13T00:00:00"]),  # either
        ("0 0 L * *", ["2026-03-31T00:00:00", "2026-04-30T00:00:00"]),
        ("0 0 29 2 *", ["2028-02-29T00:00:00", "2032-02-29T00:00:00"]),
        ("0 0 * * 7", ["2026-03-08T00:00:00", "2026-03-15T00:00:00"]),
        ("@hourly", ["2026-03-01T11:00:00", "2026-03-01T12:00:00"]),
        ("@daily", ["2026-03-02T00:00:00", "2026-03-03T00:00:00"]),
        ("@weekly", ["2026-03-08T00:00:00", "2026-03-15T00:00:00"]),
        ("@monthly", ["2026-04-01T00:00:00", "2026-05-01T00:00:00"]),
        (" @Yearly ", ["2027-01-01T00:00:00", "2028-01-01T00:00:00"]),
    ],
)
def test_a_cron_fires_when_its_fields_say(expression: str, expected: list[str]) -> None:
    found = fired(expression, "UTC", "2026-03-01T10:00:00", 2)
    assert found == [f"{moment}+00:00" for moment in expected]


def test_midnight_in_kathmandu_is_a_quarter_past_six_in_the_evening_utc() -> None:
    spec = CronSpec("0 0 * * *", "Asia/Kathmandu")
    assert [iso(slot) for slot in slots(spec, "2026-03-01T00:00:00", 2)] == [
        "2026-03-01T18:15:00+00:00",
        "2026-03-02T18:15:00+00:00",
    ]


def test_a_slot_comes_strictly_after_the_given_moment() -> None:
    spec = CronSpec("0 * * * *")
    assert next_slot(spec, ms("2026-03-01T10:00:00") - 1) == ms("2026-03-01T10:00:00")
    assert next_slot(spec, ms("2026-03-01T10:00:00")) == ms("2026-03-01T11:00:00")


# The clock jumps from 02:00 to 03:00 (Berlin), 02:00 to 02:30 (Lord Howe), 00:00 to
# 01:00 (Havana).
@pytest.mark.parametrize(
    ("expression", "tz", "after", "expected"),
    [
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00",
            ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"],
        ),
        (
            "*/10 2 * * *",
            "Europe/Berlin",
            "2026-03-29T00:30:00",
            ["2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"],
        ),
        (
            "0 2,3 * * *",  # 02:00 moves to 03:00, which is due anyway: once
            "Europe/Berlin",
            "2026-03-29T00:30:00",
            ["2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"],
        ),
        (
            "15 30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00",
            ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:15+02:00"],
        ),
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T12:00:00",
            ["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"],
        ),
        (
            "0 0 * * *",
            "America/Havana",
            "2026-03-07T12:00:00",
            ["2026-03-08T01:00:00-04:00", "2026-03-09T00:00:00-04:00"],
        ),
    ],
)
def test_a_time_that_the_clock_jumps_over_fires_once_after_the_jump(
    expression: str, tz: str, after: str, expected: list[str]
) -> None:
    assert fired(expression, tz, after, 2) == expected


@pytest.mark.parametrize(
    ("expression", "tz", "after", "expected"),
    [
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00",
            ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"],
        ),
        (
            "30 1 * * *",
            "America/New_York",
            "2026-10-31T12:00:00",
            ["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"],
        ),
        (
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T10:00:00",
            ["2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"],
        ),
    ],
)
def test_a_time_that_comes_twice_fires_the_first_time(
    expression: str, tz: str, after: str, expected: list[str]
) -> None:
    assert fired(expression, tz, after, 2) == expected


@pytest.mark.parametrize("tz", ["Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
@pytest.mark.parametrize(
    "day", ["2026-03-08", "2026-03-29", "2026-10-25", "2026-11-01"]
)
def test_every_two_minutes_goes_on_every_two_minutes_of_real_time(
    tz: str, day: str
) -> None:
    found = slots(CronSpec("*/2 * * * *", tz), f"{day}T00:00:00", 720)
    assert {later - earlier for earlier, later in pairwise(found)} == {2 * MINUTE_MS}


def test_an_hourly_cron_fires_in_both_passes_of_a_repeated_hour() -> None:
    assert fired("30 * * * *", "Europe/Berlin", "2026-10-24T23:40:00", 4) == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:30:00+01:00",
        "2026-10-25T03:30:00+01:00",
        "2026-10-25T04:30:00+01:00",
    ]


def test_a_day_that_a_zone_left_out_fires_at_its_end() -> None:
    found = fired("0 9 * * *", "Pacific/Apia", "2011-12-29T20:00:00", 3)
    assert found == [
        "2011-12-31T00:00:00+14:00",  # the 30th did not happen
        "2011-12-31T09:00:00+14:00",
        "2012-01-01T09:00:00+14:00",
    ]


# An oracle: look at every minute (and at every minute of the wall clock).

CHANGES = [
    ("Europe/Berlin", "2026-03-28T00:00:00"),
    ("Europe/Berlin", "2026-10-24T00:00:00"),
    ("America/New_York", "2026-03-07T12:00:00"),
    ("America/New_York", "2026-10-31T12:00:00"),
    ("Australia/Lord_Howe", "2026-04-04T00:00:00"),
    ("Australia/Lord_Howe", "2026-10-03T00:00:00"),
    ("America/Havana", "2026-03-07T12:00:00"),
    ("America/Havana", "2026-10-31T12:00:00"),
    ("Asia/Kathmandu", "2026-03-28T00:00:00"),
]
HOURS = 60


def by_looking(
    minutes: set[int], hours: set[int], tz: str, start: datetime
) -> list[datetime]:
    """All slots in HOURS after start, found minute by minute."""
    zone, step = ZoneInfo(tz), timedelta(minutes=1)
    real = [start + step * n for n in range(1, HOURS * 60 + 1)]
    if len(hours) == 24:
        return [at for at in real if at.astimezone(zone).minute in minutes]
    shown = {at: at.astimezone(zone).replace(tzinfo=None) for at in real}
    first: dict[datetime, datetime] = {}
    for at, wall in shown.items():
        first.setdefault(wall.replace(fold=0), at)
    found: set[datetime] = set()
    for before, after in pairwise(real):
        wall = shown[before].replace(fold=0) + step
        while wall < shown[after].replace(fold=0):  # jumped over
            if wall.minute in minutes and wall.hour in hours:
                found.add(after)
            wall += step
    for wall, at in first.items():
        if wall.minute in minutes and wall.hour in hours:
            found.add(at)
    return sorted(found)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(CHANGES),
    st.sets(st.integers(0, 59), min_size=1, max_size=4),
    st.sets(st.integers(0, 4) | st.integers(0, 23), min_size=1, max_size=3)
    | st.just(set(range(24))),
)
@example(("Europe/Berlin", "2026-10-24T00:00:00"), {0, 59}, set(range(24)))
@example(("Europe/Berlin", "2026-03-28T00:00:00"), {0, 59}, {2, 3})
def test_slots_around_a_clock_change_are_those_found_by_looking(
    change: tuple[str, str], minutes: set[int], hours: set[int]
) -> None:
    tz, text = change
    start = datetime.fromisoformat(text).replace(tzinfo=UTC)
    expected = by_looking(minutes, hours, tz, start)
    every_hour = "*" if len(hours) == 24 else ",".join(map(str, sorted(hours)))
    spec = CronSpec(f"{','.join(map(str, sorted(minutes)))} {every_hour} * * *", tz)
    found = slots(spec, text, len(expected) + 1)
    end = ms(text) + HOURS * 60 * MINUTE_MS
    assert [iso(slot, tz) for slot in found if slot <= end] == [
        at.astimezone(ZoneInfo(tz)).isoformat() for at in expected
    ]


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "* * * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "60 * * * * *",
        "*/0 * * * *",
        "*/-1 * * * *",
        "5-1 * * * *",
        "R * * * *",
        "H * * * *",
        "\uff11 * * * *",
        "@reboot",
        "@every 5m",
        "* " * 5000,
        "1," * 5000 + "1 * * * *",
        "0 0 * * MON#6",
        "\ud800 * * * *",
        "0\x00 * * * *",
    ],
)
def test_what_is_no_cron_expression_is_refused(expression: str) -> None:
    with pytest.raises(InvalidArgumentError, match="cron expression"):
        CronSpec(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "* * 31 2 *",
        "0 0 30 2 *",
        "0 0 31 4,6,9,11 *",
        "0 0 0 31 2 *",
        "0 0 */31 2 MON#5",
    ],
)
def test_a_cron_that_never_fires_is_refused(expression: str) -> None:
    with pytest.raises(InvalidArgumentError, match="cron expression"):
        CronSpec(expression)


@pytest.mark.parametrize(
    "tz",
    ["Mars/X", "", "America", "../../etc/passwd", "/etc/localtime", "\0", "x" * 5000],
)
def test_an_unknown_zone_is_refused(tz: str) -> None:
    with pytest.raises(InvalidArgumentError, match="time zone"):
        CronSpec("@daily", tz)


@given(
    st.text(st.sampled_from("0123456789*/-,LW# SUNMO@dailyR"), max_size=40)
    | st.text(max_size=30)
)
def test_any_text_is_a_cron_with_a_next_slot_or_is_refused(text: str) -> None:
    try:
        spec = CronSpec(text)
    except InvalidArgumentError:
        return
    slot = next_slot(spec, ms("2026-03-01T00:00:00"))
    assert slot is None or slot > ms("2026-03-01T00:00:00")


# -- intervals -------------------------------------------------------------------------


def test_an_interval_is_aligned_to_the_epoch_plus_its_offset() -> None:
    assert next_slot(IntervalSpec(120_000), 1_000_000) == 1_080_000
    assert next_slot(IntervalSpec(120_000, 5_000), 1_000_000) == 1_085_000
    assert next_slot(IntervalSpec(120_000), 1_080_000) == 1_200_000


@given(
    st.integers(1000, 10**9),
    st.integers(0, 10**9),
    st.integers(0, 4 * 10**12),
)
def test_an_interval_slot_is_the_first_multiple_after(
    every: int, offset: int, after: int
) -> None:
    spec = IntervalSpec(every, offset % every)
    slot = next_slot(spec, after)
    assert slot is not None
    assert after < slot <= after + every
    assert (slot - spec.offset_ms) % every == 0


@pytest.mark.parametrize(
    ("every", "offset"),
    [(0, 0), (-1000, 0), (999, 0), (10**15, 0), (1000, -1), (1000, 1000)],
)
def test_an_interval_out_of_range_is_refused(every: int, offset: int) -> None:
    with pytest.raises(InvalidArgumentError, match=r"interval|offset"):
        IntervalSpec(every, offset)


# -- opaque ----------------------------------------------------------------------------


def quarter(minute: int) -> bool:
    return minute % (15 * MINUTE_MS) == 0


def test_an_opaque_schedule_is_looked_at_minute_by_minute() -> None:
    seen: list[int] = []

    def matches(minute: int) -> bool:
        seen.append(minute)
        return quarter(minute)

    assert next_slot(OpaqueSpec("task", matches), 14 * MINUTE_MS - 1) == 15 * MINUTE_MS
    assert seen == [14 * MINUTE_MS, 15 * MINUTE_MS]


def test_an_opaque_schedule_without_a_match_is_looked_at_again_and_not_fired() -> None:
    spec = OpaqueSpec("never", lambda minute: False)
    again = next_slot(spec, 0)
    assert again == LOOK_AHEAD_MINUTES * MINUTE_MS
    assert due_slots(spec, again, again) == Due((), 2 * again)


def test_an_opaque_schedule_without_its_code_has_no_slots() -> None:
    with pytest.raises(InvalidArgumentError, match="no code"):
        next_slot(OpaqueSpec("task"), 0)


def test_after_an_outage_only_the_last_day_of_an_opaque_schedule_is_looked_at() -> None:
    calls = 0

    def matches(minute: int) -> bool:
        nonlocal calls
        calls += 1
        return quarter(minute)

    now = 3650 * DAY_MS + 1
    due = due_slots(OpaqueSpec("task", matches), 0, now)
    assert due == Due((3649 * DAY_MS,), 3650 * DAY_MS + 5 * MINUTE_MS)
    assert calls < 2 * SCAN_MINUTES


# -- due slots -------------------------------------------------------------------------

MINUTELY = IntervalSpec(MINUTE_MS)


@pytest.mark.parametrize("policy", CatchUp)
def test_nothing_fires_before_its_slot(policy: CatchUp) -> None:
    assert due_slots(MINUTELY, 60_000, 59_999, policy) == Due((), 60_000)


@pytest.mark.parametrize("policy", CatchUp)
def test_a_slot_on_time_fires_under_every_policy(policy: CatchUp) -> None:
    assert due_slots(MINUTELY, 60_000, 60_020, policy) == Due((60_000,), 120_000)


def test_after_an_outage_one_late_run_stands_for_all() -> None:
    assert due_slots(MINUTELY, 60_000, 610_000) == Due((60_000,), 660_000)


def test_after_an_outage_skip_fires_nothing() -> None:
    assert due_slots(MINUTELY, 60_000, 610_000, CatchUp.SKIP) == Due((), 660_000)


def test_skip_still_fires_a_slot_that_is_a_little_late() -> None:
    now = 60_000 + LATE_MS
    assert due_slots(MINUTELY, 60_000, now, CatchUp.SKIP) == Due((60_000,), 180_000)


def test_after_an_outage_all_fires_each_missed_slot_in_order() -> None:
    due = due_slots(MINUTELY, 60_000, 250_000, CatchUp.ALL)
    assert due == Due((60_000, 120_000, 180_000, 240_000), 300_000)


def test_all_is_bounded_and_then_goes_on_from_now() -> None:
    due = due_slots(MINUTELY, 60_000, 60_000_000, CatchUp.ALL, 3)
    assert due == Due((60_000, 120_000, 180_000), 60_060_000)


@pytest.mark.parametrize("policy", CatchUp)
@pytest.mark.parametrize(
    "spec",
    [
        CronSpec("* * * * * *", "Europe/Berlin"),
        IntervalSpec(1000),
        OpaqueSpec("never", lambda minute: False),
    ],
)
def test_catching_up_ten_years_is_bounded(spec: Spec, policy: CatchUp) -> None:
    slot, now = ms("2016-03-01T00:00:00"), ms("2026-03-01T00:00:00")
    began = time.process_time()
    due = due_slots(spec, slot, now, policy, 10**9)
    assert time.process_time() - began < 2
    assert len(due.slots) <= MAX_CATCH_UP
    assert due.next_at is not None
    assert due.next_at > now


@given(
    st.sampled_from(CatchUp),
    st.integers(0, 10**7),
    st.integers(0, 10**7),
    st.integers(1, 150),
)
def test_slots_fire_in_order_at_most_once_and_never_early(
    policy: CatchUp, first: int, late: int, limit: int
) -> None:
    slot = next_slot(MINUTELY, first)
    assert slot is not None
    now = slot + late
    due = due_slots(MINUTELY, slot, now, policy, limit)
    assert sorted(set(due.slots)) == list(due.slots)
    assert all(slot <= at <= now for at in due.slots)
    assert due.next_at is not None
    assert now < due.next_at <= now + MINUTE_MS


@pytest.mark.parametrize(
    "spec", [CronSpec("@daily"), MINUTELY, OpaqueSpec("x", quarter)]
)
def test_at_the_end_of_time_there_is_no_next_slot(spec: Spec) -> None:
    assert next_slot(spec, END_MS) is None
    assert next_slot(spec, 10**300) is None


# -- the string in the store -----------------------------------------------------------


@pytest.mark.parametrize(
    ("timetable", "text"),
    [
        (
            Timetable(CronSpec("@daily", "Asia/Kathmandu"), CatchUp.SKIP, True),
            '{"cron":"@daily","tz":"Asia/Kathmandu","catchUp":"skip","skipOverlap":true}',
        ),
        (Timetable(CronSpec("@daily")), '{"cron":"@daily"}'),
        (Timetable(IntervalSpec(120_000)), '{"everyMs":120000}'),
        (
            Timetable(IntervalSpec(120_000, 1), CatchUp.ALL),
            '{"everyMs":120000,"offsetMs":1,"catchUp":"all"}',
        ),
        (Timetable(OpaqueSpec("app.task")), '{"opaque":"app.task"}'),
    ],
)
def test_a_timetable_is_written_and_read_back(timetable: Timetable, text: str) -> None:
    assert format_timetable(timetable) == text
    assert parse_timetable(text) == timetable


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"cron":"@daily","everyMs":1000}',
        '{"cron":5}',
        '{"cron":"@daily","zone":"UTC"}',
        '{"cron":"@daily","catchUp":"never"}',
        '{"everyMs":1.5}',
        '{"everyMs":1}',
        '{"cron":"@reboot"}',
        '{"cron":"@daily","tz":"Mars/X"}',
        '{"cron":"\ud800"}',
        "[" * 100_000,
    ],
)
def test_what_is_no_timetable_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError):
        parse_timetable(text)
