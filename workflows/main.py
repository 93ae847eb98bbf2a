"""What `huey_consumer workflows.main.huey` loads: the instance and all jobs.

Modules of jobs are looked for in the working directory too. Nothing else belongs here:
on an import error huey_consumer imports it once more.
"""

import logging
import sys
from importlib import import_module
from pathlib import Path

from workflows.exceptions import SettingsError
from workflows.settings import exit_on_wrong_settings
from workflows.telemetry import configure_logging


def _load(name: str) -> None:
    """Import a module of jobs. Raises SettingsError if there is none of that name."""
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # it is there, and what it imports is not
        msg = (
            f"WORKFLOWS_IMPORTS: there is no module {error.name!r} in {Path.cwd()} "
            "or on Python's path (PYTHONPATH)"
        )
        raise SettingsError(msg) from None


with exit_on_wrong_settings():
    from workflows.app import huey, settings

    if not logging.getLogger().handlers:  # who has set up logs keeps them
        configure_logging(settings.log_level, settings.log_format)
    if not {"", str(Path.cwd())}.intersection(sys.path):  # as console scripts leave it
        sys.path.append(str(Path.cwd()))
    for name in settings.imports:
        _load(name)
    if not huey.job_types and not huey.workflows:
        logging.getLogger("workflows.huey").warning(
            "no_jobs: %s declared no jobs and registered no workflows on the huey of "
            "workflows.app; jobs of another instance are run by "
            "`huey_consumer <module>.huey` and have no API",
            ", ".join(settings.imports),
        )

__all__ = ["huey"]
