"""When an overdue invoice is reminded of, and how firmly."""

from datetime import date, timedelta

LEVEL_DAYS = ((1, 1), (2, 3), (3, 7), (4, 14))  # level, days overdue
LAST_LEVEL = 4
LONGEST_PROMISE = timedelta(days=7)


def reached_level(today: date, due_on: date) -> int:
    """Return the highest level whose days have passed; 0: none."""
    days = (today - due_on).days
    return max((level for level, after in LEVEL_DAYS if days >= after), default=0)


def due_level(today: date, due_on: date, last_level: int) -> int | None:
    """Return the level to send now; None: nothing new.

    The highest level reached, if it is above the last one sent: a missed day skips
    levels, and no level comes twice.
    """
    reached = reached_level(today, due_on)
    return reached if reached > last_level else None


def promised_date(today: date, day_of_month: int) -> date | None:
    """Return the date that `PROMISE 25` means; None: it is not within 7 days.

    The next day of that number, today excluded.
    """
    for days in range(1, LONGEST_PROMISE.days + 1):
        day = today + timedelta(days=days)
        if day.day == day_of_month:
            return day
    return None
