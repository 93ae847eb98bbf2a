"""The way from the marketplace's outbox to an order's workflow."""

from datetime import timedelta

from workflows.client import BlockingClient, RPCError, RPCStatusCode
from workflows.exceptions import StoreUnavailableError
from workflows.jobs.order_lifecycle.workflow import TASK_QUEUE, OrderLifecycle
from workflows.marketplace.backoffice import OutboxJob

PASSING = frozenset({RPCStatusCode.UNAVAILABLE, RPCStatusCode.RESOURCE_EXHAUSTED})


def workflow_id(order_id: str) -> str:
    """Return the id of an order's workflow; one run of it is open at a time."""
    return f"order:{order_id}"


def wake(client: BlockingClient, job: OutboxJob, _delay: timedelta) -> None:
    """Tell an order's workflow to look at it; start it if none is open.

    A repeat costs it one look.

    Raises:
        StoreUnavailableError: the store cannot be reached or is full.
    """
    order_id = str(job.payload["orderId"])
    try:
        client.start_workflow(
            OrderLifecycle.run,
            order_id,
            id=workflow_id(order_id),
            task_queue=TASK_QUEUE,
            start_signal="changed",
        )
    except RPCError as error:
        if error.status in PASSING:
            raise StoreUnavailableError(str(error)) from error
        raise
