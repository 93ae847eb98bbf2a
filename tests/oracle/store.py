"""The oracle as one store."""

from collections.abc import Sequence

from tests.oracle.exchange import Exchange
from tests.oracle.operators import JobOperators, QueueOperators, ScheduleOperators
from tests.oracle.run_operations import RunOperations
from tests.oracle.run_reads import RunReads
from workflows.store import Enqueued, NewJob
from workflows.stores import validation


class OracleStore(
    Exchange,
    JobOperators,
    QueueOperators,
    ScheduleOperators,
    RunOperations,
    RunReads,
):
    """The `Store` protocol in memory, for one thread.

    It remembers requests, settlements and claims for ever: the contract says at
    least fifteen minutes.
    """

    def enqueue(self, jobs: Sequence[NewJob], *, request_id: str) -> list[Enqueued]:
        validation.check_enqueue(jobs, request_id)
        key = ("enqueue", "", request_id)
        if key not in self._requests:
            for new in jobs:
                self._check_run(new)
            self._requests[key] = [self._insert(new) for new in jobs]
        return list(self._requests[key])
