"""A marketplace whose process may die around any commit, and is started again.

What is outside of the process lives on: the files, the clock, WhatsApp, and the people,
who say again what was not acknowledged.
"""

import asyncio
import shutil
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from tests.clock import ManualClock
from tests.integration.marketplace.conftest import Deliveries
from tests.integration.marketplace.final_state import final_state, sent_messages
from tests.integration.marketplace.lifecycle_shop import LifecycleShop
from tests.integration.marketplace.mortal import (
    Death,
    MortalStorage,
    MortalStore,
    NamedMarketplace,
    Point,
    Process,
)
from tests.integration.marketplace.shop import MS, START, Shop, ms
from workflows.huey.context import JobContext
from workflows.jobs.credit_reconciliation import policy as reconciliation
from workflows.jobs.credit_reconciliation.payload import CreditReconciliation
from workflows.jobs.credit_reconciliation.processor import reconcile
from workflows.jobs.daily_reports import policy as reports
from workflows.jobs.daily_reports.payload import DailyReports
from workflows.jobs.daily_reports.processor import Reporter
from workflows.jobs.order_expiry.processor import OrderExpirer
from workflows.jobs.payment_reminders import policy as reminders
from workflows.jobs.payment_reminders.payload import PaymentReminders
from workflows.jobs.payment_reminders.processor import remind_all
from workflows.marketplace.change import Timers
from workflows.marketplace.database import Database
from workflows.marketplace.inbound import apply_status
from workflows.marketplace.message import Message, MessageStatus
from workflows.marketplace.ports import Accepted
from workflows.marketplace.webhook import StatusEvent
from workflows.marketplace.whatsapp_errors import SendFailure
from workflows.store import Store

BOSS = "+9779841000099"
SWEEP = timedelta(minutes=2)
SWEEPS = ("bidding-timeout", "wholesaler-confirmation-timeout")
SETTLING = timedelta(minutes=1)  # after a death, until its leases are taken back
STEP = timedelta(seconds=5)
NEVER = datetime.max.replace(tzinfo=UTC)


class Channel(Deliveries):
    """WhatsApp: takes messages, or fails as scripted, and later says what it took."""

    def __init__(self) -> None:
        super().__init__()
        self.script: dict[str, list[int]] = {}
        self.wamids: list[str] = []  # of what was sent
        self.reported = 0

    def send(self, message: Message) -> Accepted | SendFailure:
        codes = self.script.get(message.to_phone or "")
        if codes:
            return SendFailure(http_status=400, code=codes.pop(0))
        answer = super().send(message)
        if isinstance(answer, Accepted):
            self.wamids.append(answer.wamid)
        return answer


class _AllJobs(Shop):
    """A shop with the daily jobs too, and ids that are known as ids."""

    def new_id(self) -> str:
        return f"i{self.ids():05}i"

    def open(self) -> None:
        """Declare the daily jobs, and name every commit."""
        old = self.market
        self.market = NamedMarketplace(
            storage=old.storage,
            clock=old.clock,
            new_id=old.new_id,
            jobs=old.jobs,
            timers=old.timers,
        )
        self.expirer = OrderExpirer(marketplace=self.market, payments=self.payments)
        self._daily(
            reminders, PaymentReminders, lambda p, id: remind_all(self.market, p, id)
        )
        self._daily(
            reconciliation,
            CreditReconciliation,
            lambda p, id: reconcile(self.market, p, id),
        )
        self._daily(reports, DailyReports, self._report)

    def _report(self, what: DailyReports, run_id: str) -> dict[str, object]:
        reporter = Reporter(marketplace=self.market, recipients=(BOSS,), counts=dict)
        return reporter.run(what, run_id, last_attempt=False)

    def _daily(
        self,
        of: Any,
        payload: type[BaseModel],
        process: Callable[[Any, str], dict[str, object]],
    ) -> None:
        def run(what: BaseModel, *, job: JobContext) -> dict[str, object]:
            return process(what, job.id)

        self._types[of.QUEUE] = self.huey.job(
            name=of.QUEUE, queue=of.QUEUE, payload=payload, retry=of.RETRY, context=True
        )(run)

    def ask(self, queue: str, payload: dict[str, Any], job_id: str) -> None:
        """Add a job; again under the same id, it is the same job."""
        self._types[queue].enqueue(payload, job_id=job_id)

    def turn(self) -> bool:
        """Do one piece of work; whether there was any."""
        task = self.huey.dequeue()
        if task is not None:
            self.huey.execute(task)
        return task is not None

    def tick(self) -> int | None:
        """Do what is due by the clock; return in how many ms more is, if known."""
        promoted, next_in_ms = self.store.promote_due()
        swept = self.store.sweep(interval_ms=1000)
        return 0 if promoted or swept else next_in_ms


class JobsShop(_AllJobs):
    """Delayed jobs keep the orders' time."""


class WorkflowShop(_AllJobs, LifecycleShop):
    """A workflow keeps the time of each order."""

    def turn(self) -> bool:
        return self.born().turn() or super().turn()

    def tick(self) -> int | None:
        return self.born().tick()

    def ask(self, queue: str, payload: dict[str, Any], job_id: str) -> None:  # type: ignore[override]
        self._types[queue].enqueue(payload, job_id=job_id)


AnyShop = JobsShop | WorkflowShop
Act = Callable[[AnyShop], object]


class OpenStore(Protocol):
    """Opens the store in a folder, on a clock."""

    def __call__(self, folder: Path, clock: ManualClock) -> Store: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """`before`: what has happened when the process becomes mortal; then what people do.

    Each act is repeated until it is acknowledged. `fails`: codes that WhatsApp answers
    to a number, in turn.
    """

    before: Act = lambda _shop: None
    acts: tuple[tuple[datetime, Act], ...]
    until: datetime
    timers: Timers = Timers.JOBS
    fails: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """How it ended."""

    state: dict[str, object]
    process: Process


@dataclass
class World:
    """One shop in its folder, through many tellings of its story.

    What was before is done once and copied for each telling.
    """

    story: Story
    folder: Path
    template: Path
    open_store: OpenStore
    loop: asyncio.AbstractEventLoop
    clock: ManualClock

    def __post_init__(self) -> None:
        shutil.copy(self.template, self.folder / "market.db")
        self.clock.now = ms(START)
        self.database = Database(f"sqlite:///{self.folder}/market.db")
        self.channel, self._numbers = Channel(), 0
        for phone, code in self.story.fails:
            self.channel.script.setdefault(phone, []).append(code)
        self._begin()
        self._open()
        self.story.before(self.shop)
        self._run(self.shop.now())
        self._close()
        self._copy(self.folder, self.folder / "before")
        self._before = (self.clock.now, self._numbers, deepcopy(self.channel))

    def play(self, point: Point) -> Told:
        """Tell the story, dying at the point."""
        self._copy(self.folder / "before", self.folder)
        self.clock.now, self._numbers, self.channel = deepcopy(self._before)
        self._begin()
        self.process.point = point
        self._open()
        try:
            for moment, act in self.story.acts:
                self._insist(partial(self._run, moment))
                self._insist(partial(self._do, act))
            self._insist(partial(self._run, self.story.until))
            self._insist(self._finish)
            return Told(self._tell(), self.process)
        finally:
            self._close()

    def _begin(self) -> None:
        self.process = Process(Point())
        self.settled, self.sweep_at = START, NEVER

    def _copy(self, source: Path, target: Path) -> None:
        target.mkdir(exist_ok=True)
        for old in target.glob("*.db*"):
            old.unlink()
        for file in source.glob("*.db*"):
            shutil.copy(file, target / file.name)

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _open(self) -> None:
        self.store = self.open_store(self.folder, self.clock)
        store: Any = MortalStore(self.store, self.process)
        storage = MortalStorage(self.database, self.process)
        make = JobsShop if self.story.timers is Timers.JOBS else WorkflowShop
        self.shop: AnyShop = make(
            store, storage, self.channel, self.clock, ids=self._number
        )
        if isinstance(self.shop, WorkflowShop):
            self.shop.prepare(self.loop)
        self.shop.open()

    def _close(self) -> None:
        self.store.close()
        self.database.close()

    def _do(self, act: Act) -> None:
        act(self.shop)

    def _insist(self, act: Callable[[], object]) -> None:
        """Do something until the process survives it."""
        while True:
            try:
                act()
            except Death:
                self._close()
                self.process.restart()
                self.settled = self._now() + SETTLING
                self.sweep_at = self._now() + SWEEP
                self._open()
            else:
                return

    def _now(self) -> datetime:
        return self.shop.now()

    def _run(self, moment: datetime) -> None:
        """Work on what is due, each at its time, up to a moment."""
        while True:
            while self._report() or self.shop.turn():
                pass
            if self._now() >= self.sweep_at:
                for queue in SWEEPS:
                    self.shop.ask(queue, {}, f"sweep:{queue}")
                self.sweep_at = NEVER
                continue
            next_in_ms = self.shop.tick()
            if next_in_ms == 0:
                continue
            times = [self.sweep_at]
            if next_in_ms is not None:
                times.append(self._now() + next_in_ms * MS)
            if self._now() < self.settled:
                times.append(self._now() + STEP)
            if min(times) > moment:
                break
            self.shop.move_to(min(times))
        self.shop.move_to(max(moment, self._now()))

    def _report(self) -> bool:
        """Have WhatsApp tell of a message that it has taken."""
        if self.channel.reported == len(self.channel.sent):
            return False
        message = self.channel.sent[self.channel.reported]
        told = StatusEvent(
            wamid=self.channel.wamids[self.channel.reported],
            message_id=message.id,
            status=MessageStatus.SENT,
            at=self._now(),
        )
        self.shop.market.run("webhook", apply_status, told)
        self.channel.reported += 1
        return True

    def _finish(self) -> None:
        """Let what a death in the last moments has left be done."""
        self._run(max(self.settled, self.story.until) + 2 * SWEEP + SETTLING)

    def _tell(self) -> dict[str, object]:
        state = final_state(self.database, self.store)
        state["sent"] = sent_messages(self.channel.sent)
        if isinstance(self.shop, WorkflowShop):
            listed = self.store.count_runs()
            state["runs"] = {str(status): number for status, number in listed.items()}
        return state
