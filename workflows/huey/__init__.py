"""The Huey host: `WorkflowHuey` and what its jobs and callers meet."""

from workflows.huey.context import JobContext
from workflows.huey.instance import WorkflowHuey
from workflows.huey.wrapper import JobResult, JobWrapper

__all__ = ["JobContext", "JobResult", "JobWrapper", "WorkflowHuey"]
