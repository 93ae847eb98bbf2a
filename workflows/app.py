"""The one instance, made from the settings; `workflows.main` loads the jobs into it."""

from workflows.converter import Codec, load_codec
from workflows.exceptions import InvalidArgumentError, SettingsError
from workflows.huey import WorkflowHuey
from workflows.settings import load_settings


def _codec(name: str | None) -> Codec | None:
    try:
        return None if name is None else load_codec(name)
    except InvalidArgumentError as error:
        msg = f"WORKFLOWS_PAYLOAD_CODEC: {error}"
        raise SettingsError(msg) from None


settings = load_settings()

try:
    huey = WorkflowHuey(
        "workflows",
        url=settings.store_url,
        options=settings.store_options,
        lease=settings.lease,
        max_payload=settings.max_payload,
        codec=_codec(settings.payload_codec),
    )
except InvalidArgumentError as error:  # an option of the URL
    msg = f"WORKFLOWS_STORE: {error}"
    raise SettingsError(msg) from None
