"""What callers use: the service functions behind REST, CLI and application code."""

from workflows.client.faults import Fault, InvalidJobsError
from workflows.client.jobs import JobClient, JobRequest
from workflows.client.monitoring import Dashboard
from workflows.client.schedules import ScheduleClient, ScheduleRequest

__all__ = [
    "Dashboard",
    "Fault",
    "InvalidJobsError",
    "JobClient",
    "JobRequest",
    "ScheduleClient",
    "ScheduleRequest",
]
