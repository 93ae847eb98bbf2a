"""How `whatsapp-message-send` retries: 3 attempts, 2 s and 4 s apart, or later.

An attempt is a failed call. What is only put off (rate, lease, circuit, ambiguity)
spends none.
"""

from datetime import timedelta

from tenacity import RetryCallState, stop_after_attempt, wait_exponential
from tenacity.wait import wait_base

from workflows.marketplace.errors import TransientError
from workflows.marketplace.message import BACKOFF, MAX_CALLS

QUEUE = "whatsapp-message-send"
ATTEMPTS = MAX_CALLS
TIMEOUT = timedelta(seconds=50)  # less than a message's lease, more than any call
INSIST = timedelta(seconds=15)  # on writing what became of a call; fits into TIMEOUT
CONCURRENCY = 5

MAX_DEFERRALS = 20
IN_FLIGHT_DELAY = timedelta(seconds=5)
AT_MOST_ONCE_PATIENCE = timedelta(minutes=15)
PROBERS = 10  # of the oldest parked messages look again at each probe
PARKED_DELAY = timedelta(minutes=10)  # the others are promoted when it works again


class WaitAtLeastFloor(wait_base):
    """A wait strategy, but never less than the `floor` of a `TransientError`."""

    def __init__(self, wait: wait_base) -> None:
        self.wait = wait

    def __call__(self, retry_state: RetryCallState) -> float:
        """Return seconds."""
        seconds = float(self.wait(retry_state))
        outcome = retry_state.outcome
        error = None if outcome is None else outcome.exception()
        if isinstance(error, TransientError):
            seconds = max(seconds, error.floor.total_seconds())
        return seconds


RETRY = {
    "stop": stop_after_attempt(ATTEMPTS),
    "wait": WaitAtLeastFloor(wait_exponential(multiplier=BACKOFF.total_seconds())),
}
