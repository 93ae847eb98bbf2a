"""What `huey_consumer workflows.main.huey` loads: the instance and all jobs.

Nothing else belongs here: on an import error huey_consumer imports it once more.
"""

from importlib import import_module

from workflows.settings import exit_on_wrong_settings

with exit_on_wrong_settings():
    from workflows.app import huey, settings

    for name in settings.imports:
        import_module(name)

__all__ = ["huey"]
