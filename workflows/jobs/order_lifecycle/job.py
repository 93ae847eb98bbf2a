"""Registers `order-lifecycle`, unless the settings leave time to delayed jobs."""

from datetime import timedelta

from workflows.app import huey
from workflows.client import BlockingClient, WorkflowService
from workflows.jobs.order_expiry.processor import OrderExpirer
from workflows.jobs.order_lifecycle.activities import OrderActivities
from workflows.jobs.order_lifecycle.waking import wake
from workflows.jobs.order_lifecycle.workflow import TASK_QUEUE, OrderLifecycle
from workflows.jobs.queues import hand_to, marketplace
from workflows.marketplace.backoffice import OutboxJob
from workflows.marketplace.change import LIFECYCLE, LIFECYCLE_QUEUE, Timers
from workflows.marketplace.services import services
from workflows.marketplace.settings import MarketplaceSettings
from workflows.settings import read_settings


def _expirer() -> OrderExpirer:
    payments = services().payments
    return OrderExpirer(marketplace=marketplace(), payments=payments, actor=LIFECYCLE)


def _wake(job: OutboxJob, delay: timedelta) -> None:
    service = WorkflowService(huey.store, limits=huey.limits)
    wake(BlockingClient(service, data_converter=huey.data_converter), job, delay)


settings = read_settings(MarketplaceSettings)
if settings.order_timers is Timers.WORKFLOW:
    activities = OrderActivities(_expirer, speed=settings.clock.speed)
    huey.register_workflows(
        TASK_QUEUE, workflows=[OrderLifecycle], activities=activities.all
    )
hand_to(LIFECYCLE_QUEUE, _wake)

__all__ = ["OrderLifecycle"]
