"""Temporal's cron schedules of a workflow: when the next run is due."""

from workflows.engine.schedule import CronSpec, next_slot
from workflows.exceptions import InvalidArgumentError

EVERY = "@every "
ZONE_KEYS = ("CRON_TZ=", "TZ=")
UNITS = {"h": 3_600_000, "m": 60_000, "s": 1000}


def next_cron_delay(schedule: str, *, began_at: int, at: int) -> int | None:
    """Return how long (ms) after `at` the next run begins; None: never.

    `began_at`: when the run that ends at `at` was due. Slots that it slept through are
    left out.

    Raises:
        InvalidArgumentError: no cron schedule.
    """
    if schedule.startswith(EVERY):
        every = _every(schedule)
        return every - (at - began_at) % every
    due = next_slot(parse_cron(schedule), at)
    return None if due is None else due - at


def parse_cron(schedule: str) -> CronSpec:
    """Read `[CRON_TZ=Europe/Rome ]minute hour day month weekday` or an alias.

    Raises:
        InvalidArgumentError: it is neither.
    """
    zone, expression = "UTC", schedule.strip()
    for key in ZONE_KEYS:
        if expression.startswith(key):
            zone, _, expression = expression.removeprefix(key).partition(" ")
            break
    return CronSpec(expression.strip(), zone)


def check_cron(schedule: str) -> None:
    """Refuse what is no cron schedule.

    Raises:
        InvalidArgumentError: the text says why.
    """
    if schedule.startswith(EVERY):
        _every(schedule)
    else:
        parse_cron(schedule)


def _every(schedule: str) -> int:
    """Read `@every 1h30m`."""
    total, number = 0, ""
    for char in schedule.removeprefix(EVERY).strip():
        if char.isdigit():
            number += char
        elif char in UNITS and number:
            total, number = total + int(number) * UNITS[char], ""
        else:
            number = "?"
            break
    if number or not total:
        msg = f"cron schedule {schedule[:40]!r} is not such as '@every 1h30m'"
        raise InvalidArgumentError(msg)
    return total
