"""What gunicorn serves: `api.wsgi:application`. Imported in each worker, after fork."""

from uuid import uuid4

from gunicorn.arbiter import Arbiter

from api.app import Application, create_app
from api.body import BodyLimits
from workflows.client import BlockingClient, JobClient, WorkflowService
from workflows.client.connecting import DEFAULT, default_identity
from workflows.settings import load_settings

try:
    from workflows.main import huey
except SystemExit:  # for any other code gunicorn would start another worker
    raise SystemExit(Arbiter.WORKER_BOOT_ERROR) from None


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
    )


application = _application()
