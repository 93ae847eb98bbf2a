"""The oracle as one store."""

from collections.abc import Sequence

from tests.oracle.exchange import Exchange
from tests.oracle.operators import JobOperators, QueueOperators, ScheduleOperators
from tests.oracle.reads import Reads
from workflows.store import Enqueued, NewJob
from workflows.stores import validation


class OracleStore(
    Exchange,
    JobOperators,
    QueueOperators,
    ScheduleOperators,
    Reads,
):
    """The `Store` protocol in memory, for one thread.

    It remembers requests, settlements and claims for ever: the contract says at
    least fifteen minutes.
    """

    def enqueue(self, jobs: Sequence[NewJob], *, request_id: str) -> list[Enqueued]:
        validation.check_enqueue(jobs, request_id)
        if request_id in self._requests:
            return list(self._requests[request_id])
        answers = [self._insert(new) for new in jobs]
        self._requests[request_id] = tuple(answers)
        return answers
