"""A producer process: enqueues what its standard input asks for, for ever.

Each input line is `<count>`, or `<count> <kind>`. An id is sent again until the store
has acknowledged it, then written to the ledger: a crash of anything else never makes
the producer give up.
"""

import random
import sys
import time
from pathlib import Path

from tests.chaos.app import Kind, Work, folder, work
from tests.chaos.ledger import ACKS, Ledger
from workflows.exceptions import StoreError

acks = Ledger(Path(folder) / ACKS)


def _kind(rng: random.Random, mixed: bool) -> Kind:
    draw = rng.random()
    if not mixed or draw >= 0.10:
        return "good"
    return "flaky" if draw < 0.06 else "broken" if draw < 0.08 else "refused"


def _send(payload: Work) -> None:
    request = f"send-{payload.job}"
    while True:
        try:
            work.enqueue(payload, job_id=payload.job, request_id=request)
        except StoreError as error:
            print(f"retry {payload.job}: {error}", file=sys.stderr, flush=True)
            time.sleep(0.05)
        else:
            acks.add(id=payload.job, kind=payload.kind)
            return


def main() -> None:
    """Serve the input."""
    name, seed, longest, mixed = sys.argv[1:5]
    rng = random.Random(int(seed))
    sent = 0
    for line in sys.stdin:
        count, *wanted = line.split()
        for _ in range(int(count)):
            job = f"{name}-{sent}"
            ms = rng.randint(5, int(longest))
            kind = wanted[0] if wanted else _kind(rng, mixed == "mixed")
            _send(Work.model_validate({"job": job, "kind": kind, "ms": ms}))
            sent += 1


if __name__ == "__main__":
    main()
