"""Days of the business, in its own zone. Nobody adds 5:45 by hand.

Every window is half-open: its start belongs to it, its end does not.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

KATHMANDU = ZoneInfo("Asia/Kathmandu")
ONE_DAY = timedelta(days=1)


def business_date(at: datetime, zone: ZoneInfo = KATHMANDU) -> date:
    """Return the date on the wall of the business at this instant."""
    return at.astimezone(zone).date()


def local_instant(day: date, wall: time, zone: ZoneInfo = KATHMANDU) -> datetime:
    """Return the instant, in UTC, at which the wall shows this date and time."""
    return datetime.combine(day, wall, zone).astimezone(UTC)


def day_window(day: date, zone: ZoneInfo = KATHMANDU) -> tuple[datetime, datetime]:
    """Return `[midnight, next midnight)` of a local day, in UTC."""
    return (
        local_instant(day, time(0), zone),
        local_instant(day + ONE_DAY, time(0), zone),
    )
