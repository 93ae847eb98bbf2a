"""Claims and runs one job at a time, for `huey.dequeue` and `huey.execute`.

The consumer does not come here: it claims in batches through the runtime's pools.
"""

import datetime as dt
from typing import TYPE_CHECKING, Any

from huey.api import Task

from workflows.huey.handler import HueyHandler
from workflows.huey.outcome import Outcome
from workflows.runtime.ids import new_id
from workflows.runtime.lease import MS, Ended, Lease, boot_ns
from workflows.store import Claim, QueueClaim

if TYPE_CHECKING:
    from workflows.huey.instance import WorkflowHuey


def claim_one(huey: "WorkflowHuey") -> Task | None:
    """Claim a job and return its task; an undecodable one is buried, and None."""
    queues = huey.jobs.types_by_queue()
    claim = Claim(
        id=new_id(),
        owner=f"{huey.name}:dequeue",
        queues=tuple(QueueClaim(queue, names, 1) for queue, names in queues.items()),
        slots=1,
        lease_ms=huey.lease_ms,
    )
    sent = boot_ns()
    answer = huey.store.exchange((), claim)
    huey.revocations_exist = answer.revocations
    for job in answer.jobs:
        lease = Lease(job, ends_ns=sent + huey.lease_ms * MS, granted_ns=sent)
        task = HueyHandler(huey).decode(lease)
        if isinstance(task, Ended):
            huey.store.exchange([task.settlement])
            return None
        return task
    return None


def run_claimed(huey: "WorkflowHuey", task: Task, at: dt.datetime | None) -> Any:
    """Run a claimed task to its end, settle it, fire its signals; return its value."""
    handler = HueyHandler(huey)
    ended = handler.run_task(task.lease, task, at)
    status = huey.store.exchange([ended.settlement]).statuses[0]
    if ended.after is not None:
        ended.after(status)
    outcome = getattr(ended.after, "__self__", None)
    return outcome.value if isinstance(outcome, Outcome) else None
