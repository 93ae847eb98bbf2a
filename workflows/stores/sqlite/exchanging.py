"""The exchange: settle what is done, then claim what is next."""

from collections.abc import Sequence

from workflows.store import Claim, Exchanged, Settlement
from workflows.stores.sqlite.claiming import claim as grant
from workflows.stores.sqlite.settling import Settling
from workflows.stores.sqlite.transaction import Transaction
from workflows.stores.sqlite.values import has_values


def exchange(
    tx: Transaction, settlements: Sequence[Settlement], claim: Claim | None
) -> Exchanged:
    """See `Store.exchange`."""
    answers = Settling(tx, settlements).run() if settlements else []
    jobs, next_in_ms = grant(tx, claim) if claim else ((), None)
    return Exchanged(
        statuses=tuple(status for status, _ in answers),
        states=tuple(state for _, state in answers),
        jobs=jobs,
        now=tx.now,
        next_in_ms=next_in_ms,
        revocations=has_values(tx, "revoked"),
    )
