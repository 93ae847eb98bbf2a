"""When the store refuses a settlement as invalid: the job dies, its batch does not."""

from collections.abc import Sequence

from workflows.engine.failure import failure_of
from workflows.engine.states import DeadReason
from workflows.exceptions import InvalidArgumentError
from workflows.store import Bury, Exchanged, Settlement, Store


def bury_rejected(
    store: Store, settlements: Sequence[Settlement], error: InvalidArgumentError
) -> Exchanged:
    """Settle one by one; bury each that is refused, with the refusal as its failure.

    For instance a follow-up job with a payload over the limit: retrying would repeat
    it for ever, and dropping it would lose it.
    """
    answers = [_settle(store, settlement, error) for settlement in settlements]
    return Exchanged(
        statuses=tuple(answer.statuses[0] for answer in answers),
        states=tuple(answer.states[0] for answer in answers),
        jobs=(),
        now=answers[-1].now if answers else store.now(),
    )


def _settle(
    store: Store, settlement: Settlement, error: InvalidArgumentError
) -> Exchanged:
    try:
        return store.exchange([settlement])
    except InvalidArgumentError as refusal:
        error = refusal
    bury = Bury(
        job_id=settlement.job_id,
        token=settlement.token,
        failure=failure_of(error).to_json(),
        reason=DeadReason.NON_RETRYABLE,
    )
    return store.exchange([bury])
