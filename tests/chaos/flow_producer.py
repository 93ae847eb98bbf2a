"""A client process: starts the workflows that its standard input asks for, for ever.

Each input line is `<count>`. Signals follow from a thread of their own, one at a time,
each workflow's in order. What the store has acknowledged is written to the ledger; it
is said again until then.
"""

import os
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.chaos import flow_client
from tests.chaos.flows import KINDS, LISTENING, Plan
from tests.chaos.ledger import ACKS, Ledger
from workflows.exceptions import StoreError
from workflows.store import StoreOptions
from workflows.stores import open_store

acks = Ledger(Path(os.environ["CHAOS_FOLDER"]) / ACKS)
store = open_store(os.environ["CHAOS_URL"], StoreOptions(namespace="chaos"))


def insist(said: Callable[[], Any]) -> None:
    """Say something until the store has answered."""
    while True:
        try:
            said()
        except StoreError as error:
            print(f"retry: {error}", file=sys.stderr, flush=True)
            time.sleep(0.05)
        else:
            return


class Signaller:
    """Sends signals in the background."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._wanted: deque[tuple[str, int, int]] = deque()  # flow, next, last
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def want(self, flow: str, count: int) -> None:
        """Send `count` signals to a workflow, some time."""
        self._wanted.append((flow, 1, count))

    def finish(self) -> None:
        """Send what is left, and end."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while self._wanted or not self._ended.is_set():
            if not self._ended.is_set():
                time.sleep(self._rng.uniform(0, 0.1))
            if not self._wanted:
                continue
            self._wanted.rotate(self._rng.randrange(len(self._wanted)))
            flow, number, last = self._wanted.popleft()
            insist(partial(flow_client.signal, store, flow, number))
            acks.add(id=flow, signal=number)
            if number < last:
                self._wanted.append((flow, number + 1, last))


def main() -> None:
    """Serve the input."""
    name, seed, longest = sys.argv[1:4]
    rng = random.Random(int(seed))
    signaller = Signaller(random.Random(int(seed) + 1_000))
    sent = 0
    for line in sys.stdin:
        for _ in range(int(line)):
            flow, kind = f"{name}-{sent}", KINDS[sent % len(KINDS)]
            signals = rng.randint(1, 4) if kind in LISTENING else 0
            size = rng.randint(1, 5)
            plan = Plan(size=size, ms=rng.randint(5, int(longest)), signals=signals)
            insist(partial(flow_client.start, store, kind, flow, plan))
            acks.add(id=flow, kind=kind, size=size, signals=signals)
            if signals:
                signaller.want(flow, signals)
            sent += 1
    signaller.finish()


if __name__ == "__main__":
    main()
