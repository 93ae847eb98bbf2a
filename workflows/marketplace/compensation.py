"""What follows from a message that can never be delivered, by its purpose.

Nothing follows from a failure of the sending account: that is not the recipient's.
"""

from dataclasses import replace
from datetime import datetime

from workflows.marketplace.backoffice import OpsTask, OutboxJob
from workflows.marketplace.message import Message, MessageStatus, Scope
from workflows.marketplace.sql.work import SqlWork
from workflows.marketplace.transitions.offers import TIMEOUT_QUEUE


def compensate(work: SqlWork, before: Message, after: Message, now: datetime) -> None:
    """Act on a message that has failed for good; nothing if it has not, or had before.

    An offer goes to the next supplier, an invited supplier counts as not reachable, a
    debtor is called. Jobs go out with the next relay of the outbox.
    """
    failed = after.status is MessageStatus.FAILED
    if not failed or before.status is after.status or after.subject is None:
        return
    if after.error_scope is Scope.CHANNEL:
        return
    if after.purpose == "confirm_request":
        _pass_on(work, after.subject, now)
    elif after.purpose == "bid_invite":
        _not_reachable(work, after)
    elif after.purpose == "payment_reminder":
        _have_called(work, after, now)


def _pass_on(work: SqlWork, confirmation_id: str, now: datetime) -> None:
    work.outbox.add(
        OutboxJob(
            job_id=f"{TIMEOUT_QUEUE}:{confirmation_id}:unreachable",
            queue=TIMEOUT_QUEUE,
            payload={"confirmationId": confirmation_id, "unreachable": True},
            run_at=now,
        )
    )


def _not_reachable(work: SqlWork, message: Message) -> None:
    _, round_id, supplier_id = message.dedupe_key.split(":", 2)
    found = work.invitations.get(round_id, supplier_id)
    if found is not None:
        work.invitations.move(found, replace(found, reachable=False))


def _have_called(work: SqlWork, message: Message, now: datetime) -> None:
    customer_id = (message.subject or "").split(":")[0]
    text = f"A reminder could not be delivered ({message.error_code}); call him."
    work.tasks.add(
        OpsTask(
            key=f"call:{message.dedupe_key}",
            kind="call",
            subject=f"customer:{customer_id}",
            text=text,
            created_at=now,
        )
    )
