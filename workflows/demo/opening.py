"""When the next day of the demo begins."""

from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import func, select

from workflows.marketplace import tables
from workflows.marketplace.database import Database
from workflows.marketplace.rules.business_time import business_date, local_instant

OPENS = time(9, 55)


def next_opening(database_url: str) -> datetime:
    """Return the morning of today; of the day after, if the rows go so far already.

    So no start of the demo ever shows the rows of an earlier one an earlier time.
    """
    database = Database(database_url)
    try:
        with database.begin() as work:
            newest = select(func.max(tables.order_events.c.at))
            last: datetime | None = work.connection.execute(newest).scalar_one()
    finally:
        database.close()
    return opening_after(last, business_date(datetime.now(UTC)))


def opening_after(last: datetime | None, today: date) -> datetime:
    """Return the first morning from today on that comes after the last event."""
    opening = local_instant(today, OPENS)
    if last is not None and last >= opening:
        opening = local_instant(business_date(last) + timedelta(days=1), OPENS)
    return opening
