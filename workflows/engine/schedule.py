"""Schedules: which moments (*slots*) a recurring job fires at. Times are epoch ms.

The rule for clock changes:

- A cron that fires in every hour of the day follows elapsed time: when the clock is
  set back it fires in both passes of the repeated hour, when it is set forward it
  just goes on. Nothing is skipped and nothing is doubled in real time.
- Any other cron fires by the clock on the wall, once: a time that the clock jumps
  over fires at the first moment after the jump (several such times: once), a time
  that comes twice fires the first time.
- Intervals are multiples of the epoch plus an offset and know no clock changes.

Cron syntax is cronsim's: five fields, or six with seconds first; names, ranges,
steps, lists, `L`, `LW`, `#`; day of month and day of week are alternatives unless
one of them begins with `*`. Day of week 0 and 7 are Sunday.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from cronsim import CronSim, CronSimError

from workflows.exceptions import InvalidArgumentError

MINUTE_MS = 60_000
MIN_INTERVAL_MS = 1000
MAX_INTERVAL_MS = 3650 * 24 * 3_600_000
MAX_EXPRESSION = 200  # characters
MAX_CATCH_UP = 100  # late slots that fire after an outage
SCAN_MINUTES = 24 * 60  # how far back one look at an opaque schedule goes
LOOK_AHEAD_MINUTES = 5  # and how far ahead: new code may have other slots
LATE_MS = 60_000  # a slot that is later than this was missed (policy `skip`)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
END_MS = 221_845_392_000_000  # the year 9000: no slots beyond
ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class CatchUp(StrEnum):
    """What becomes of slots that passed while nothing could fire them."""

    SKIP = "skip"  # they are gone
    ONCE = "once"  # one late run stands for all of them
    ALL = "all"  # each runs, the oldest MAX_CATCH_UP of them


@dataclass(frozen=True, slots=True)
class CronSpec:
    """A cron expression on the clocks of a time zone.

    Raises:
        InvalidArgumentError: not an expression, never due, or an unknown zone.
    """

    expression: str
    tz: str = "UTC"

    def __post_init__(self) -> None:
        """Refuse what could never fire."""
        _zone(self.tz)
        _check_cron(self.expression)


@dataclass(frozen=True, slots=True)
class IntervalSpec:
    """Every `every_ms`, aligned to the epoch plus `offset_ms`.

    Raises:
        InvalidArgumentError: shorter than a second, longer than ten years, or an
            offset that is not within the interval.
    """

    every_ms: int
    offset_ms: int = 0

    def __post_init__(self) -> None:
        """Refuse what could not be followed."""
        if not MIN_INTERVAL_MS <= self.every_ms <= MAX_INTERVAL_MS:
            msg = f"interval is not between {MIN_INTERVAL_MS} and {MAX_INTERVAL_MS} ms"
            raise InvalidArgumentError(msg)
        if not 0 <= self.offset_ms < self.every_ms:
            msg = "offset is not between 0 and the interval"
            raise InvalidArgumentError(msg)


@dataclass(frozen=True, slots=True)
class OpaqueSpec:
    """Whole minutes that only code can tell: `matches` gets the minute in epoch ms.

    `name` tells one such schedule from another in the store. As long as `matches` is
    None (just parsed), nothing is known of its slots.
    """

    name: str
    matches: Callable[[int], bool] | None = None


Spec = CronSpec | IntervalSpec | OpaqueSpec


@dataclass(frozen=True, slots=True)
class Timetable:
    """What a schedule's `spec` string holds: when, and how it meets trouble."""

    spec: Spec
    catch_up: CatchUp = CatchUp.ONCE
    skip_overlap: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """The slots to fire now, oldest first, and the next one (None: never again)."""

    slots: tuple[int, ...]
    next_at: int | None


# -- the string in the store -----------------------------------------------------------


class _Wire(
    msgspec.Struct, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    """The JSON form; exactly one of cron, every_ms and opaque is set."""

    cron: str | None = None
    tz: str = "UTC"
    every_ms: int | None = None
    offset_ms: int = 0
    opaque: str | None = None
    catch_up: CatchUp = CatchUp.ONCE
    skip_overlap: bool = False


def format_timetable(timetable: Timetable) -> str:
    """Return a timetable as a schedule's `spec`; equal timetables, equal strings."""
    wire = _Wire(catch_up=timetable.catch_up, skip_overlap=timetable.skip_overlap)
    match timetable.spec:
        case CronSpec(expression, tz):
            wire.cron, wire.tz = expression, tz
        case IntervalSpec(every_ms, offset_ms):
            wire.every_ms, wire.offset_ms = every_ms, offset_ms
        case OpaqueSpec(name):
            wire.opaque = name
    return msgspec.json.encode(wire).decode()


def parse_timetable(text: str) -> Timetable:
    """Read what `format_timetable` wrote.

    Raises:
        InvalidArgumentError: it is something else, or its zone is gone by now.
    """
    try:
        wire = msgspec.json.decode(text, type=_Wire)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        msg = f"not a schedule: {error}"
        raise InvalidArgumentError(msg) from None
    return Timetable(_spec(wire), wire.catch_up, wire.skip_overlap)


def _spec(wire: _Wire) -> Spec:
    match (wire.cron, wire.every_ms, wire.opaque):
        case (str() as expression, None, None):
            return CronSpec(expression, wire.tz)
        case (None, int() as every_ms, None):
            return IntervalSpec(every_ms, wire.offset_ms)
        case (None, None, str() as name):
            return OpaqueSpec(name)
    msg = "not a schedule: exactly one of cron, everyMs and opaque must be set"
    raise InvalidArgumentError(msg)


# -- slots -----------------------------------------------------------------------------


def next_slot(spec: Spec, after_ms: int) -> int | None:
    """Return the first slot after `after_ms`; None: there is none.

    Of an opaque schedule this may be a moment to look again (nothing within the next
    LOOK_AHEAD_MINUTES); `due_slots` fires nothing then. It is never far off, because
    nothing but the code tells that the code has changed.

    Raises:
        InvalidArgumentError: an opaque schedule whose code is not here.
    """
    if after_ms >= END_MS:
        return None
    if isinstance(spec, IntervalSpec):
        periods = (after_ms - spec.offset_ms) // spec.every_ms + 1
        return periods * spec.every_ms + spec.offset_ms
    if isinstance(spec, CronSpec):
        return _next_cron(spec, after_ms)
    minute = after_ms // MINUTE_MS * MINUTE_MS
    for _ in range(LOOK_AHEAD_MINUTES):
        minute += MINUTE_MS
        if _matches(spec, minute):
            break
    return minute


def due_slots(
    spec: Spec,
    slot: int,
    now: int,
    catch_up: CatchUp = CatchUp.ONCE,
    limit: int = MAX_CATCH_UP,
) -> Due:
    """Return what to fire at `now` if `slot` is the next slot, and the slot after.

    Work and result are bounded (`limit` slots, of an opaque schedule those of the
    last SCAN_MINUTES) however long nothing fired: what is beyond is dropped.

    Raises:
        InvalidArgumentError: as `next_slot`.
    """
    if slot > now:
        return Due((), slot)
    at: int | None = slot
    if catch_up is CatchUp.SKIP and now - slot > LATE_MS:
        return Due((), next_slot(spec, now))
    if isinstance(spec, OpaqueSpec):
        at = max(slot, now // MINUTE_MS * MINUTE_MS - SCAN_MINUTES * MINUTE_MS)
    most = min(limit, MAX_CATCH_UP) if catch_up is CatchUp.ALL else 1
    fired: list[int] = []
    while at is not None and at <= now and len(fired) < most:
        if not isinstance(spec, OpaqueSpec) or _matches(spec, at):
            fired.append(at)
        at = next_slot(spec, at)
    if at is not None and at <= now:
        at = next_slot(spec, now)
    return Due(tuple(fired), at)


def _matches(spec: OpaqueSpec, minute: int) -> bool:
    if spec.matches is None:
        msg = f"no code of the schedule {spec.name!r} is here"
        raise InvalidArgumentError(msg)
    return bool(spec.matches(minute))


# -- cron ------------------------------------------------------------------------------


def _next_cron(spec: CronSpec, after_ms: int) -> int | None:
    zone = _zone(spec.tz)
    after = EPOCH + timedelta(milliseconds=after_ms)
    local = after.astimezone(zone)
    wall = local.replace(tzinfo=None, fold=0)
    cron = _parse_cron(spec.expression, wall - _second_pass(local))
    every_hour = len(cron.hours) == 24
    best: datetime | None = None
    for match in cron:
        instants = _real(match, zone) if every_hour else _once(match, zone)
        later = [instant for instant in instants if instant > after]
        best = min([*later, best] if best else later, default=None)
        if best is not None and match > wall:
            return (best - EPOCH) // timedelta(milliseconds=1)
    return None


def _second_pass(local: datetime) -> timedelta:
    """Return how far the wall clock will soon go back over `local`; else 0."""
    return max(_offset(local, 0) - _offset(local, 1), timedelta(0)) * (1 - local.fold)


def _real(match: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return each moment at which the wall clock shows `match`: none, one or two."""
    passes = {_instant(match, zone, fold) for fold in (0, 1)}
    return [at for at in passes if _shows(at, zone, match)]


def _once(match: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return the one moment for `match`: the first of two, or the end of the gap."""
    first = _instant(match, zone, 0)
    if _shows(first, zone, match):
        return [first]
    before, behind = _instant(match, zone, 1), first  # the clock jumps in between
    jumped = behind.astimezone(zone).utcoffset()
    while behind - before > timedelta(seconds=1):
        middle = before + (behind - before) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == jumped:
            behind = middle
        else:
            before = middle
    return [behind]


def _instant(wall: datetime, zone: ZoneInfo, fold: int) -> datetime:
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _shows(instant: datetime, zone: ZoneInfo, wall: datetime) -> bool:
    return instant.astimezone(zone).replace(tzinfo=None) == wall


def _offset(local: datetime, fold: int) -> timedelta:
    return local.replace(fold=fold).utcoffset() or timedelta(0)


@lru_cache(maxsize=1024)
def _check_cron(expression: str) -> None:
    if len(expression) > MAX_EXPRESSION:
        msg = f"cron expression is longer than {MAX_EXPRESSION} characters"
        raise InvalidArgumentError(msg)
    try:
        next(_parse_cron(expression, datetime(2000, 1, 1)))  # noqa: DTZ001 - wall time
    except CronSimError as error:
        msg = f"cron expression {expression!r}: {error}"
        raise InvalidArgumentError(msg) from None
    except StopIteration:
        msg = f"cron expression {expression!r} never fires"
        raise InvalidArgumentError(msg) from None


def _parse_cron(expression: str, wall: datetime) -> CronSim:
    alias = ALIASES.get(expression.strip().lower())
    return CronSim(alias or expression, wall)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = f"unknown time zone {name[:80]!r}"
        raise InvalidArgumentError(msg) from None
