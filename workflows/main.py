"""What `huey_consumer workflows.main.huey` loads: the instance and all jobs.

Nothing else belongs here: on an import error huey_consumer imports it once more.
"""

import logging
from importlib import import_module

from workflows.settings import exit_on_wrong_settings
from workflows.telemetry import configure_logging

with exit_on_wrong_settings():
    from workflows.app import huey, settings

    if not logging.getLogger().handlers:  # who has set up logs keeps them
        configure_logging(settings.log_level, settings.log_format)
    for name in settings.imports:
        import_module(name)

__all__ = ["huey"]
