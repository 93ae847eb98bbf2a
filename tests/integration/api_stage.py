"""The API and its store, in the hands of a test."""

import itertools
from typing import Any

from tests.integration.api_server import ApiServer
from workflows.engine.failure import Failure
from workflows.engine.states import DeadReason
from workflows.store import (
    Bury,
    Claim,
    LeasedJob,
    QueueClaim,
    Settlement,
    Store,
)

FAILURE = Failure(
    type="OSError", message="no route", stack_trace="  File x\n"
).to_json()


class Stage:
    """The API over a store, and the same store in the hands of a worker."""

    def __init__(self, api: ApiServer, store: Store) -> None:
        self.api = api
        self.store = store
        self._numbers = itertools.count()

    def add(self, queue: str = "notes", **opts: Any) -> str:
        """Add a job over HTTP; return its id."""
        name = "take_note" if queue == "notes" else "count_note"
        body = {"name": name, "data": {"text": "hello"}, "opts": opts}
        answer = self.api.post(f"/api/v1/queues/{queue}/jobs", body)
        assert answer.status == 201, answer.body
        return str(answer.data["jobId"])

    def claim(self, count: int = 1) -> tuple[LeasedJob, ...]:
        """Lease jobs of the queue `notes`."""
        wanted = Claim(
            id=f"claim-{next(self._numbers)}",
            owner="worker-1",
            queues=(QueueClaim("notes", ("take_note",), count),),
            slots=count,
        )
        return self.store.exchange(claim=wanted).jobs

    def settle(self, *settlements: Settlement) -> None:
        """End leases."""
        self.store.exchange(settlements)

    def bury(self, count: int = 1) -> list[str]:
        """Add jobs and make dead letters of them, one after the other."""
        dead = []
        for _ in range(count):
            self.add()
            (job,) = self.claim()
            self.settle(
                Bury(
                    job_id=job.id,
                    token=job.token,
                    failure=FAILURE,
                    reason=DeadReason.EXHAUSTED,
                )
            )
            dead.append(job.id)
        return dead

    def data(self, path: str) -> Any:
        """Return what a GET answers."""
        answer = self.api.get(path)
        assert answer.status == 200, answer.body
        assert answer.json["success"] is True
        return answer.data
