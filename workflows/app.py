"""The one instance, made from the settings; `workflows.main` loads the jobs into it."""

from workflows.huey import WorkflowHuey
from workflows.settings import load_settings

settings = load_settings()

huey = WorkflowHuey(
    "workflows",
    url=settings.store_url,
    options=settings.store_options,
    lease=settings.lease,
)
