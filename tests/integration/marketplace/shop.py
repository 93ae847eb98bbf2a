"""A marketplace under test: real queue, real tables, one clock, time that is told."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from pydantic import BaseModel

from tests.clock import ManualClock
from tests.integration.marketplace.stub import StubProcess
from tests.unit.marketplace.rows import message
from workflows.exceptions import ConflictError, NotFoundError, StoreUnavailableError
from workflows.huey import WorkflowHuey
from workflows.huey.context import JobContext
from workflows.huey.wrapper import JobWrapper
from workflows.jobs.bidding_timeout import policy as bidding_policy
from workflows.jobs.bidding_timeout.payload import BiddingTimeout
from workflows.jobs.bidding_timeout.processor import close_rounds
from workflows.jobs.order_expiry import policy as expiry_policy
from workflows.jobs.order_expiry.payload import OrderExpiry
from workflows.jobs.order_expiry.processor import OrderExpirer
from workflows.jobs.vendor_fallback import policy as fallback_policy
from workflows.jobs.vendor_fallback.payload import VendorFallback
from workflows.jobs.vendor_fallback.processor import find_next
from workflows.jobs.whatsapp_message_send import policy
from workflows.jobs.whatsapp_message_send.payload import WhatsAppMessageSend
from workflows.jobs.whatsapp_message_send.processor import Result, WhatsAppSender
from workflows.jobs.wholesaler_confirmation_timeout import policy as offer_policy
from workflows.jobs.wholesaler_confirmation_timeout.payload import (
    WholesalerConfirmationTimeout,
)
from workflows.jobs.wholesaler_confirmation_timeout.processor import look_after_offers
from workflows.marketplace.backoffice import OutboxJob
from workflows.marketplace.change import Marketplace
from workflows.marketplace.message import JobRun, Message
from workflows.marketplace.no_payments import NoPayments
from workflows.marketplace.order import Order
from workflows.marketplace.pair_limit import PairLimit
from workflows.marketplace.ports import MessageTransport, PaymentsPort, Storage
from workflows.store import JobRecord, Store

START = datetime(2026, 11, 24, 4, 15, tzinfo=UTC)  # 10:00 in Kathmandu
MS = timedelta(milliseconds=1)
PHONE = "+9779841000001"


def ms(moment: datetime) -> int:
    """Return a time as the store counts it."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // MS


@dataclass
class Shop:
    """The jobs on their queues; the clock moves only in `run_until`."""

    store: Store
    storage: Storage
    transport: MessageTransport
    clock: ManualClock
    stub: StubProcess | None = None
    payments: PaymentsPort = field(default_factory=NoPayments)
    broken: bool = False  # the queues cannot be reached
    started: datetime = START
    ids: Callable[[], int] = field(default_factory=lambda: count(1).__next__)

    def __post_init__(self) -> None:
        self.huey = WorkflowHuey("shop", store=self.store)
        self.market = Marketplace(
            storage=self.storage, clock=self.now, new_id=self.new_id, jobs=self
        )
        self.sender = WhatsAppSender(
            storage=self.storage,
            transport=self.transport,
            queue=self,
            clock=self.now,
            new_id=self.new_id,
            pair_limit=PairLimit(),
            ambiguous_check=timedelta(seconds=60),
        )
        self.expirer = OrderExpirer(marketplace=self.market, payments=self.payments)

        @self.huey.job(
            name=policy.QUEUE,
            queue=policy.QUEUE,
            payload=WhatsAppMessageSend,
            retry=policy.RETRY,
            context=True,
        )
        def send(message: WhatsAppMessageSend, *, job: JobContext) -> Result:
            run = JobRun(
                job_id=job.id, started_at=job.first_started_at, attempt=job.attempt
            )
            return self.sender.run(message, run)

        self._send = send
        self._types: dict[str, JobWrapper] = {policy.QUEUE: send}
        self._declare(expiry_policy, OrderExpiry, self._close)
        self._declare(
            fallback_policy, VendorFallback, lambda p: find_next(self.market, p)
        )
        self._declare(
            bidding_policy, BiddingTimeout, lambda p: close_rounds(self.market, p)
        )
        self._declare(
            offer_policy,
            WholesalerConfirmationTimeout,
            lambda p: look_after_offers(self.market, p),
        )

    def _close(self, what: OrderExpiry) -> dict[str, object]:
        return self.expirer.run(what)

    def _declare(
        self,
        of: Any,
        payload: type[BaseModel],
        process: Callable[[Any], dict[str, object]],
    ) -> None:
        def run(what: BaseModel) -> dict[str, object]:
            return process(what)

        self._types[of.QUEUE] = self.huey.job(
            name=of.QUEUE, queue=of.QUEUE, payload=payload, retry=of.RETRY
        )(run)

    # -- time --

    def now(self) -> datetime:
        return datetime(1970, 1, 1, tzinfo=UTC) + self.clock.now * MS

    def new_id(self) -> str:
        return f"{self.ids():04}"

    def move_to(self, moment: datetime) -> None:
        """Set every clock."""
        self.clock.now = ms(moment)
        if self.stub is not None:
            self.stub.stand_at(self.clock.now)

    def run_until(self, moment: datetime) -> None:
        """Run every job that is due, at its time, up to and including `moment`."""
        while True:
            while (task := self.huey.dequeue()) is not None:
                self.huey.execute(task)
            _, next_in_ms = self.store.promote_due()
            if next_in_ms == 0:
                continue
            if next_in_ms is None or self.now() + next_in_ms * MS > moment:
                break
            self.move_to(self.now() + next_in_ms * MS)
        self.move_to(moment)

    def run_for(self, seconds: float = 0) -> None:
        self.run_until(self.now() + timedelta(seconds=seconds))

    def seconds(self, moment: int | datetime) -> float:
        """Return a time as seconds since the shop's start."""
        at = moment if isinstance(moment, int) else ms(moment)
        return (at - ms(self.started)) / 1000

    # -- jobs --

    def send(self, payload: dict[str, Any], job_id: str | None = None) -> str:
        """Enqueue a message's job; return its id."""
        result = self._send.enqueue(payload, job_id=job_id)
        return str(result.id)

    def say(self, text: str = "Hello!", **more: Any) -> str:
        """Enqueue a text."""
        return self.send({"phoneNumber": PHONE, "message": text} | more)

    def add_expiry(self, delay: float = 0, **payload: Any) -> str:
        """Enqueue an order's expiry; return the job's id."""
        return self.enqueue("order-expiry", payload, delay)

    def enqueue(self, queue: str, payload: dict[str, Any], delay: float = 0) -> str:
        """Enqueue a job of a queue; return its id."""
        result = self._types[queue].enqueue(payload, delay=delay)
        return str(result.id)

    def job(self, job_id: str) -> JobRecord:
        record = self.store.get_job(job_id)
        assert record is not None
        return record

    def result(self, job_id: str) -> dict[str, Any]:
        """Return what a completed job returned."""
        record = self.job(job_id)
        assert record.result is not None, record
        value: dict[str, Any] = self.huey.serializer.deserialize(record.result)
        return value

    # -- rows --

    def message_of(self, job_id: str) -> Message:
        """Return the row that a job's payload made."""
        return self.message_with(f"adhoc:{job_id}")

    def message_with(self, dedupe_key: str) -> Message:
        """Return a row; adding one with its key returns it and changes nothing."""
        with self.storage.begin() as work:
            return work.messages.add(replace(message(), dedupe_key=dedupe_key))

    def order(self, order_id: str) -> Order:
        with self.storage.begin() as work:
            found = work.orders.get(order_id)
        assert found is not None
        return found

    # -- JobAdder and JobQueue --

    def add(self, job: OutboxJob, delay: timedelta) -> bool:
        if self.broken:
            raise StoreUnavailableError
        self._types[job.queue].enqueue(job.payload, job_id=job.job_id, delay=delay)
        return True

    def promote(self, job_id: str) -> None:
        try:
            self.store.promote(job_id)
        except (NotFoundError, ConflictError):
            pass

    def retry_dead(self, job_id: str) -> None:
        try:
            self.store.retry_dead(job_id)
        except (NotFoundError, ConflictError):
            pass
