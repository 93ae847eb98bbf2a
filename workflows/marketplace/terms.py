"""The marketplace's terms of business: how long, how many, how much."""

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from workflows.marketplace.order import INGEST_GRACE
from workflows.marketplace.rules.business_time import KATHMANDU


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Defaults are those of the specification; settings change some."""

    zone: ZoneInfo = KATHMANDU
    payment_ttl: timedelta = timedelta(minutes=30)
    fulfilment_ttl: timedelta = timedelta(minutes=240)
    rearmed_ttl: timedelta = timedelta(minutes=120)  # after a supplier withdrew
    reinstate_within: timedelta = timedelta(minutes=15)
    bidding_window: timedelta = timedelta(minutes=10)
    min_bids: int = 1
    confirm_window: timedelta = timedelta(minutes=15)
    delivery_within: timedelta = timedelta(hours=72)
    collect_after: timedelta = timedelta(days=60)  # after an invoice was due
    change_of_mind: timedelta = timedelta(seconds=60)
    ingest_grace: timedelta = INGEST_GRACE
    sweep_lag: timedelta = timedelta(seconds=30)
    max_offers: int = 3
    strikes_to_suspend: int = 3
    strike_memory: timedelta = timedelta(days=30)
    max_supply_bps: int = 9500
    outlet: str = "KTM"
    token_secret: bytes = b"demo"
    reminder_min_paisa: int = 10_000
    rounding_paisa: int = 100
