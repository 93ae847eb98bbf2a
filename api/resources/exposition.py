"""What machines read that is not in the envelope: Prometheus."""

from api.call import Call, RawReply
from api.prometheus import CONTENT_TYPE, RECENT_MINUTES, Family, Snapshot, render
from workflows.client import JobClient
from workflows.client.monitoring import MINUTE_MS
from workflows.exceptions import StoreError


def prometheus(call: Call) -> RawReply:
    """Read all metrics as Prometheus text; at most two seconds old."""
    text = call.shared.metrics.get(lambda: _exposition(call))
    return RawReply(content_type=CONTENT_TYPE, content=text.encode())


def _exposition(call: Call) -> str:
    market = _market(call)
    try:
        return render(_snapshot(call.client), market)
    except StoreError:
        return render(None, market)


def _market(call: Call) -> list[Family]:
    if call.open_market is None:
        return []
    from api.resources.market_metrics import market_families  # noqa: PLC0415 - heavy

    return market_families(call)


def _snapshot(client: JobClient) -> Snapshot:
    now, queues = client.now(), client.queues()
    since = now // MINUTE_MS - RECENT_MINUTES
    return Snapshot(
        now=now,
        queues=queues,
        minutes={
            queue.name: client.store.series(queue.name, since_minute=since)
            for queue in queues
        },
        workers=client.workers(),
        schedules=client.schedules.list(),
    )
