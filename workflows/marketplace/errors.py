"""What a job of the marketplace raises when it cannot do its work."""

from datetime import timedelta

from workflows.exceptions import NonRetryableError, WorkflowsError

NOT_FOUND = "not_found"
INVARIANT = "invariant"  # what must always hold does not; nothing was written


class TransientError(WorkflowsError):
    """It may work later. Spends an attempt; not tried again before `floor`."""

    def __init__(
        self, code: str, detail: str = "", *, floor: timedelta = timedelta(0)
    ) -> None:
        self.code = code
        self.floor = floor
        super().__init__(f"{code}: {detail}" if detail else code)


class PermanentError(NonRetryableError):
    """It cannot work as it is: dead at once, whatever attempts remain."""

    def __init__(self, code: str, detail: str = "") -> None:
        self.code = code
        super().__init__(f"{code}: {detail}" if detail else code)


class ChannelDownError(PermanentError):
    """The sending account is broken, not this message."""
