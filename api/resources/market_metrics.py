"""The marketplace's metrics as Prometheus reads them."""

from api.call import Call
from api.prometheus import Family
from workflows.exceptions import StoreError
from workflows.marketplace.change import Change
from workflows.marketplace.errors import TransientError
from workflows.marketplace.metrics import Metric, read_metrics


def market_families(call: Call) -> list[Family]:
    """Return the marketplace's metrics; if it is out of reach, that it is."""
    up = Family("marketplace_up", "gauge", "Whether the marketplace's tables answer.")
    try:
        found = call.market.run.run("metrics", _read)
    except (StoreError, TransientError):
        up.add(0)
        return [up]
    up.add(1)
    return [up, *(Family(one.name, one.kind, one.help, one.samples) for one in found)]


def _read(change: Change) -> list[Metric]:
    return read_metrics(change.work, change.now, change.terms)
