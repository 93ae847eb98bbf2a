"""Heartbeats of running activities: throttled, and the way a cancellation comes in."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from workflows.activity import ActivityCancellationDetails
from workflows.exceptions import StoreError
from workflows.runtime.lease import MS, boot_ns
from workflows.store import Store

logger = logging.getLogger("workflows.runtime")

RETRY_NS = 500 * MS
SHARE = 0.8  # of the heartbeat timeout


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """How long (ms) the next heartbeat waits: `default_ms` without a timeout, never
    longer than `most_ms`.
    """

    default_ms: int = 30_000
    most_ms: int = 60_000

    def rest_ns(self, timeout_ms: int | None) -> int:
        """Return the rest between two heartbeats of an activity with this timeout."""
        wanted = SHARE * timeout_ms if timeout_ms else self.default_ms
        return int(min(wanted, self.most_ms) * MS)


class Heart:
    """The heartbeats of one activity attempt. Thread-safe.

    The first one is due at once, later ones `rest_ns` after the one before; of those in
    between the newest is kept. `on_cancel` is called once, when the store says
    that the activity should end.
    """

    def __init__(
        self,
        store: Store,
        job_id: str,
        token: str,
        *,
        rest_ns: int,
        on_cancel: Callable[[ActivityCancellationDetails], None],
    ) -> None:
        self._store = store
        self._key = job_id, token
        self._on_cancel = on_cancel
        self._rest_ns = rest_ns
        self._lock = threading.Lock()
        self._pending: bytes | None = None
        self._due = 0
        self._told = False
        self.on_record: Callable[[], None] | None = None  # there is one to send

    def record(self, details: bytes) -> None:
        """Keep details as the newest heartbeat; `beat` sends them."""
        with self._lock:
            self._pending = details
        if self.on_record is not None:
            self.on_record()

    @property
    def due(self) -> int | None:
        """When (boot time, ns) the next `beat` has something to do; None: not yet."""
        return None if self._pending is None else self._due

    def beat(self, now: int) -> None:
        """Send what is pending, if it is due at boot time `now` (ns)."""
        with self._lock:
            if self._pending is None or now < self._due:
                return
            details, self._pending = self._pending, None
            self._due = now + self._rest_ns
        try:
            answer = self._store.beat(*self._key, details)
        except StoreError as error:
            logger.warning("heartbeat_failed job_id=%s error=%s", self._key[0], error)
            with self._lock:
                self._due = now + RETRY_NS
                newer: bytes | None = self._pending
                self._pending = details if newer is None else newer
            return
        if not answer.held:
            self._cancel(ActivityCancellationDetails(not_found=True))
        elif answer.cancel_requested:
            self._cancel(ActivityCancellationDetails(cancel_requested=True))

    def flush(self) -> None:
        """Send what is pending, whether due or not (before a failure is reported)."""
        with self._lock:
            self._due = 0
        self.beat(boot_ns())

    def _cancel(self, details: ActivityCancellationDetails) -> None:
        with self._lock:
            told, self._told = self._told, True
        if not told:
            self._on_cancel(details)


class Hearts:
    """One thread that sends the heartbeats of a process's activities."""

    def __init__(self, throttle: Throttle | None = None) -> None:
        self.throttle = throttle or Throttle()
        self._hearts: set[Heart] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped = True
        self._wake.set()

    def add(self, heart: Heart) -> None:
        """Look after an activity's heartbeats."""
        heart.on_record = self._wake.set
        with self._lock:
            self._hearts.add(heart)

    def remove(self, heart: Heart) -> None:
        """Leave an activity alone."""
        with self._lock:
            self._hearts.discard(heart)

    def _run(self) -> None:
        while not self._stopped:
            self._wake.wait(self._rest_s())
            self._wake.clear()
            for heart in self._beating():
                try:
                    heart.beat(boot_ns())
                except Exception:  # or all others would seem to have stopped
                    logger.exception("heartbeat_broken")

    def _beating(self) -> list[Heart]:
        with self._lock:
            return [heart for heart in self._hearts if heart.due is not None]

    def _rest_s(self) -> float | None:
        """Return how long nothing is due; None: until something is recorded."""
        dues = [heart.due for heart in self._beating()]
        soonest = min((due for due in dues if due is not None), default=None)
        return None if soonest is None else max(0.0, (soonest - boot_ns()) / 1e9)
