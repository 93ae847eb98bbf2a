"""Registers `vendor-fallback`."""

from workflows.app import huey
from workflows.jobs.put_off import put_off_while_unavailable
from workflows.jobs.queues import lead_to, marketplace
from workflows.jobs.vendor_fallback import policy
from workflows.jobs.vendor_fallback.payload import VendorFallback
from workflows.jobs.vendor_fallback.processor import find_next


@huey.job(
    name=policy.QUEUE,
    queue=policy.QUEUE,
    payload=VendorFallback,
    retry=policy.RETRY,
    timeout=policy.TIMEOUT,
)
def find_next_supplier(failed: VendorFallback) -> dict[str, object]:
    """Offer an order to the next supplier; see `find_next`."""
    with put_off_while_unavailable():
        return find_next(marketplace(), failed)


lead_to(find_next_supplier)
