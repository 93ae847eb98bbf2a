"""What gunicorn serves: `api.wsgi:application`. Imported in each worker, after fork."""

from functools import cache
from uuid import uuid4

from gunicorn.arbiter import Arbiter

from api.app import Application, create_app
from api.body import BodyLimits
from api.market import Market
from workflows.client import BlockingClient, JobClient, WorkflowService
from workflows.client.connecting import DEFAULT, default_identity
from workflows.settings import load_settings

try:
    from workflows.main import huey
except SystemExit:  # for any other code gunicorn would start another worker
    raise SystemExit(Arbiter.WORKER_BOOT_ERROR) from None

MARKETPLACE_JOB = "order-expiry"  # registered: the marketplace is served too


def _new_id() -> str:
    return uuid4().hex


def _application() -> Application:
    settings = load_settings()
    client = JobClient(huey.store, huey.job_types, _new_id, huey.converter)
    service = WorkflowService(
        huey.store,
        namespace=DEFAULT,
        identity=f"api:{default_identity()}",
        limits=huey.limits,
    )
    return create_app(
        client,
        new_id=_new_id,
        hosts=settings.api_hosts,
        body_limits=BodyLimits(
            max_bytes=settings.api_max_body, seconds=settings.api_read_timeout
        ),
        workflows=BlockingClient(service, data_converter=huey.data_converter),
        waits=settings.api_threads // 2,
        market=_open_market if MARKETPLACE_JOB in huey.job_types else None,
    )


@cache
def _open_market() -> Market:
    """Return the marketplace; its database is opened by the first request of it."""
    from workflows.jobs.queues import marketplace  # noqa: PLC0415 - registers jobs
    from workflows.marketplace.services import services  # noqa: PLC0415

    parts = services()
    return Market(
        run=marketplace(),
        payments=parts.payments,
        verify_token=parts.settings.whatsapp_verify_token.get_secret_value(),
        app_secrets=parts.settings.app_secrets,
    )


application = _application()
