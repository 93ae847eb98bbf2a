"""What happens behind the counter: events, jobs to add, tasks for people, runs."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent:
    """One line of an order's history. Never changed."""

    order_id: str
    type: str
    actor: str
    data: dict[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxJob:
    """A job to add, written together with the change that asks for it.

    `job_id` is the job's id in the queue, so relaying twice adds it once.
    """

    job_id: str
    queue: str
    payload: dict[str, Any]
    run_at: datetime
    relayed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How often something happened, since the tables were made."""

    name: str
    labels: dict[str, str]
    value: int


class TaskState(StrEnum):
    """Whether a person has done it."""

    OPEN = "open"
    DONE = "done"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpsTask:
    """What a person must do: call, refund, approve, look. One per `key`."""

    key: str
    kind: str
    subject: str
    text: str
    created_at: datetime
    status: TaskState = TaskState.OPEN
    done_by: str | None = None


class RunState(StrEnum):
    """How the run of a schedule ended."""

    CLAIMED = "claimed"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRun:
    """One period of a schedule: who asks second finds it claimed."""

    schedule: str
    period: str
    claimed_by: str
    claimed_at: datetime
    status: RunState = RunState.CLAIMED
    finished_at: datetime | None = None


class ReportType(StrEnum):
    """The six daily reports."""

    ORDERS = "orders"
    BIDDING = "bidding"
    PAYMENTS = "payments"
    SUPPLIERS = "suppliers"
    MESSAGING = "messaging"
    QUEUES = "queues"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report about one finished local day; a correction is a new revision."""

    report_type: ReportType
    business_date: date
    revision: int
    is_empty: bool
    content: dict[str, Any]
    content_sha256: str
    built_at: datetime


class ReconciliationState(StrEnum):
    """How a reconciliation ended."""

    RUNNING = "running"
    CLEAN = "clean"
    EXCEPTIONS = "exceptions"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationRun:
    """One night's reconciliation."""

    business_date: date
    started_at: datetime
    status: ReconciliationState = ReconciliationState.RUNNING
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciledAccount:
    """An account that a night's run is done with."""

    business_date: date
    account_id: str


class ItemStatus(StrEnum):
    """What was done about a difference."""

    AUTO_FIXED = "auto_fixed"
    ADJUSTED = "adjusted"  # by a posting
    OPEN = "open"  # a person must look


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationItem:
    """A difference that was found. `check_code`: R1 to R8."""

    business_date: date
    check_code: str
    subject: str
    expected_paisa: int
    actual_paisa: int
    status: ItemStatus
    posting_key: str | None = None
