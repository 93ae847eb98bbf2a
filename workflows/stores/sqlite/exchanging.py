"""The exchange: settle what is done, then claim what is next."""

from collections.abc import Sequence

from workflows.store import Claim, Exchanged, LeasedJob, Settlement
from workflows.stores.sqlite.claiming import claim as grant
from workflows.stores.sqlite.settling import Answer, Settling
from workflows.stores.sqlite.transaction import Transaction
from workflows.stores.sqlite.values import has_values


def exchange(
    tx: Transaction, settlements: Sequence[Settlement], claim: Claim | None
) -> Exchanged:
    """See `Store.exchange`."""
    answers: list[Answer] = []
    jobs: tuple[LeasedJob, ...] = ()
    next_in_ms = None
    if settlements:
        settling = Settling(tx, settlements)
        answers = settling.run()
        jobs = tuple(settling.granted)
    if claim:
        granted, next_in_ms = grant(tx, claim)
        jobs += granted
    return Exchanged(
        statuses=tuple(status for status, _ in answers),
        states=tuple(state for _, state in answers),
        jobs=jobs,
        now=tx.now,
        next_in_ms=next_in_ms,
        revocations=has_values(tx, "revoked"),
    )
