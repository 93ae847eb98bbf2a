"""The one instance, made from the settings; `workflows.main` loads the jobs into it."""

from workflows.client.connecting import named_by_settings, settings_converter
from workflows.converter import load_codec
from workflows.exceptions import InvalidArgumentError, SettingsError
from workflows.huey import WorkflowHuey
from workflows.settings import load_settings

settings = load_settings()

try:
    huey = WorkflowHuey(
        "workflows",
        url=settings.store_url,
        options=settings.store_options,
        lease=settings.lease,
        max_payload=settings.max_payload,
        codec=named_by_settings("payload_codec", load_codec, settings),
        data_converter=settings_converter(settings),
        limits=settings.limits,
    )
except InvalidArgumentError as error:  # an option of the URL
    msg = f"WORKFLOWS_STORE: {error}"
    raise SettingsError(msg) from None
