"""Finding the instance whose code runs now."""

import asyncio
from typing import TYPE_CHECKING

from workflows.engine.instance.errors import NotInWorkflowError
from workflows.engine.loop import WorkflowLoop

if TYPE_CHECKING:
    from workflows.engine.instance.instance import Instance


def current() -> "Instance":
    """Return the instance of the calling workflow code.

    Raises:
        NotInWorkflowError: no workflow code is running in this thread.
    """
    loop = asyncio._get_running_loop()  # noqa: SLF001 - the one that does not raise
    if isinstance(loop, WorkflowLoop):
        found: Instance = loop.owner
        return found
    msg = "not in a workflow: this function works in workflow code only"
    raise NotInWorkflowError(msg)


def in_workflow() -> bool:
    """Return whether workflow code is running in this thread."""
    return isinstance(asyncio._get_running_loop(), WorkflowLoop)  # noqa: SLF001
