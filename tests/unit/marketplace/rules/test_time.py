"""Days of the business are Nepal's, and windows are half-open."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.marketplace.errors import PermanentError
from workflows.marketplace.rules.business_time import (
    business_date,
    day_window,
    local_instant,
)
from workflows.marketplace.rules.fiscal_year import (
    FISCAL_YEARS,
    fiscal_year,
    invoice_number,
)


def test_midnight_in_kathmandu_is_a_quarter_past_six_in_utc() -> None:
    assert day_window(date(2026, 11, 24)) == (
        datetime(2026, 11, 23, 18, 15, tzinfo=UTC),
        datetime(2026, 11, 24, 18, 15, tzinfo=UTC),
    )


def test_dr_1_the_last_microsecond_is_today_and_midnight_is_tomorrow() -> None:
    last = datetime(2026, 11, 24, 18, 14, 59, 999999, tzinfo=UTC)
    assert business_date(last) == date(2026, 11, 24)
    assert business_date(last + timedelta(microseconds=1)) == date(2026, 11, 25)


def test_pr_9_half_past_midnight_is_the_new_day_though_utc_says_otherwise() -> None:
    at = datetime(2026, 11, 23, 18, 45, tzinfo=UTC)
    assert business_date(at) == date(2026, 11, 24)


def test_nine_in_the_morning_is_a_quarter_past_three_in_utc() -> None:
    at = local_instant(date(2026, 11, 24), time(9))
    assert at == datetime(2026, 11, 24, 3, 15, tzinfo=UTC)


@given(st.integers(0, 4_000_000_000))
def test_every_instant_is_in_the_window_of_its_own_day(seconds: int) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    start, end = day_window(business_date(at))
    assert start <= at < end


def test_fiscal_years_follow_each_other_without_a_gap() -> None:
    for earlier, later in pairwise(FISCAL_YEARS):
        assert later.starts_on - earlier.ends_on == timedelta(days=1)


def test_a_date_belongs_to_one_fiscal_year() -> None:
    assert fiscal_year(date(2026, 7, 16)).code == "2082/83"
    assert fiscal_year(date(2026, 7, 17)).code == "2083/84"
    assert invoice_number("KTM", "2083/84", 1) == "KTM-2083/84-000001"
    with pytest.raises(PermanentError, match="FISCAL_YEARS"):
        fiscal_year(date(1999, 1, 1))
