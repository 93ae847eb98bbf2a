"""The states of a job, and why one dies. Names: BullMQ's, plus cancelled/expired."""

from enum import StrEnum


class JobState(StrEnum):
    """Exactly one holds for a job at any time; active means leased."""

    WAITING = "waiting"
    DELAYED = "delayed"
    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"  # the dead letter of its queue
    CANCELLED = "cancelled"
    EXPIRED = "expired"


LIVE = frozenset({JobState.WAITING, JobState.DELAYED, JobState.ACTIVE})
PENDING = frozenset({JobState.WAITING, JobState.DELAYED})
TERMINAL = frozenset(JobState) - LIVE
AMENDABLE = PENDING | {JobState.FAILED}  # what an operator may change


class DeadReason(StrEnum):
    """Why a job is a dead letter."""

    EXHAUSTED = "exhausted"  # the retry policy allows no further attempt
    NON_RETRYABLE = "non_retryable"  # the error says that it never can succeed
    TIMEOUT = "timeout"  # the last allowed attempt ran out of time
    STALLED = "stalled"  # it took its worker down `max_stalls` times and once more
    UNDECODABLE = "undecodable"  # its message cannot become a call of its function
    UNKNOWN_TYPE = "unknown_type"  # for minutes no living worker knew its type
    MANUAL = "manual"  # a person said so
