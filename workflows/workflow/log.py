"""A logger that is silent while the workflow is replayed."""

import logging
from collections.abc import MutableMapping
from typing import Any

from workflows.engine.instance.context import current, in_workflow


class LoggerAdapter(logging.LoggerAdapter[logging.Logger]):
    """Adds the run to messages and to `extra`; switches as in Temporal's."""

    workflow_info_on_message = True
    workflow_info_on_extra = True
    full_workflow_info_on_extra = False
    log_during_replay = False

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Add what is known of the running workflow."""
        if not in_workflow():
            return msg, kwargs
        about = current().info
        details = {
            "attempt": about.attempt,
            "namespace": about.namespace,
            "run_id": about.run_id,
            "task_queue": about.task_queue,
            "workflow_id": about.workflow_id,
            "workflow_type": about.workflow_type,
        }
        extra: dict[str, Any] = dict(kwargs.get("extra") or {})
        if self.workflow_info_on_message:
            msg = f"{msg} ({details})"
        if self.workflow_info_on_extra:
            extra["temporal_workflow"] = details
        if self.full_workflow_info_on_extra:
            extra["workflow_info"] = about
        kwargs["extra"] = extra
        return msg, kwargs

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's name
        """See logging; nothing is enabled while the workflow is replayed."""
        if not self.log_during_replay and in_workflow():
            core = current().core
            if core.replaying and not core.querying:
                return False
        return super().isEnabledFor(level)

    @property
    def base_logger(self) -> logging.Logger:
        """The logger behind it."""
        return self.logger


logger = LoggerAdapter(logging.getLogger("workflows.workflow"), None)
