"""The whole: dashboard, workers, health."""

from api import schemas, views
from api.call import Call, Reply


def dashboard(call: Call) -> Reply:
    """Read health, statistics, alerts and performance."""
    return Reply(data=views.dashboard(call.client.dashboard()))


def workers(call: Call) -> Reply:
    """List the processes that work on jobs."""
    now = call.client.now()
    found = [views.worker(process, now) for process in call.client.workers()]
    return Reply(data=schemas.Workers(workers=found))


def live(_call: Call) -> Reply:
    """Say that the process answers; touches nothing."""
    return Reply(data=schemas.Live())


def ready(call: Call) -> Reply:
    """Say that the store answers."""
    call.shared.ready.get(call.client.ping)
    return Reply(data=schemas.Ready(checks={"store": "ok"}))
