"""What workflow code may meet, or must not catch."""

from workflows.engine.commands import ContinueAsNew
from workflows.exceptions import WorkflowsError


class ReadOnlyContextError(WorkflowsError):
    """A query tried to change the workflow."""


class NotInWorkflowError(WorkflowsError, RuntimeError):
    """A function of workflows was called outside of one."""


class ContinueAsNewError(BaseException):
    """Ends the run and starts the next one; no `except Exception` may stop it.

    Made by `continue_as_new` only.
    """

    def __init__(self, command: ContinueAsNew) -> None:
        self.command = command
        super().__init__("Workflow continued as new")


class EvictedError(BaseException):
    """The instance is torn down; what the code attempts now has no effect."""


class UnfinishedSignalHandlersWarning(RuntimeWarning):
    """A run closed while signal handlers were still running."""


class ForbiddenCallError(WorkflowsError):
    """Workflow code called what cannot be replayed: clock, chance, the world."""
