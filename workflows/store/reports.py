"""What a running job says of itself: progress, a checkpoint, its payload, log lines."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """News of a running job; None: nothing new.

    `progress` is for people, `checkpoint` for the job's next attempt; `payload` takes
    the place of the job's own. At most MAX_STEP `lines`, each at most MAX_LOG_LINE
    bytes of UTF-8.
    """

    progress: bytes | None = None
    checkpoint: bytes | None = None
    payload: bytes | None = None
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LogLine:
    """The n-th line (from 1) that a job ever said, and when."""

    n: int
    at: int
    text: str


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines of a job, oldest first, and whether more follow."""

    lines: tuple[LogLine, ...]
    more: bool
