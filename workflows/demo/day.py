"""The day itself: people order, bid, answer, pay, deliver, at their times."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from itertools import count

from workflows.demo.agenda import Agenda
from workflows.demo.diary import Diary
from workflows.demo.habits import SECOND, Habits, Money, Offer, Plan, Reply
from workflows.demo.office import Office
from workflows.demo.phones import Arrival, Phones
from workflows.marketplace.bidding import Bid, BidSource
from workflows.marketplace.change import Marketplace, Noop
from workflows.marketplace.confirmation import Confirmation
from workflows.marketplace.errors import PermanentError
from workflows.marketplace.inbound import apply_status
from workflows.marketplace.message import Message, MessageStatus
from workflows.marketplace.transitions import bidding, offers, orders, payments
from workflows.marketplace.transitions.payments import Receipt
from workflows.marketplace.webhook import StatusEvent

ACTOR = "api"
COPY_AFTER = 20 * SECOND  # when a callback comes again
OFFICE_EVERY = timedelta(minutes=2)


class Day:
    """Plays the plans, and what follows from each message that arrives."""

    def __init__(
        self, shop: Marketplace, habits: Habits, phones: Phones, office: Office
    ) -> None:
        self.diary = Diary()
        self._shop, self._habits, self._phones = shop, habits, phones
        self._office = office
        self._reacted: set[str] = set()
        self._arrivals = count(1)
        self._next_visit = shop.clock()
        self.agenda = Agenda(
            shop.clock, refused=self._refused, failed=self.diary.errors.append
        )
        office.enter(self.agenda, self.diary)

    def open(self, plans: Sequence[Plan]) -> None:
        """Note when each order will be placed, from now on."""
        now = self._shop.clock()
        for plan in plans:
            self.agenda.at(now + plan.after, partial(self._place, plan))

    def go_on(self) -> None:
        """Do what is due; to be called all the time."""
        self.agenda.do_due()
        for arrival in self._phones.new():
            self.agenda.after(5 * SECOND, partial(self._arrived, arrival))
        if self._shop.clock() >= self._next_visit:
            self._next_visit = self._shop.clock() + OFFICE_EVERY
            self.agenda.after(timedelta(0), self._office.visit)

    # -- customers ---------------------------------------------------------------------

    def _place(self, plan: Plan) -> None:
        order = self._shop.run(ACTOR, orders.place, plan.wanted)
        self.diary.orders[order.id] = order.total_paisa
        paid = 0
        for number, money in enumerate(plan.payments, start=1):
            last = number == len(plan.payments)
            amount = order.total_paisa * money.percent // 100
            amount = order.total_paisa - paid if last else amount
            paid += amount
            self._will_pay(plan, money, f"{order.id}-{number}", amount)
        if plan.cancel_after is not None:
            cancel = partial(self._cancel, order.id, by_ops=plan.cancelled_by_ops)
            self.agenda.after(plan.cancel_after, cancel)

    def _will_pay(self, plan: Plan, money: Money, ref: str, amount: int) -> None:
        told_at = self._shop.clock() + money.told_after
        receipt = Receipt(
            provider="esewa" if amount % 2 else "khalti",
            provider_ref=ref,
            amount_paisa=amount,
            paid_at=told_at - money.lag,
            customer_id=plan.wanted.customer_id,
            order_id=plan.wanted.id,
        )
        if money.begun:
            self.agenda.after(SECOND, partial(self._begin_to_pay, receipt))
        for copy in range(money.copies):
            self.agenda.at(told_at + copy * COPY_AFTER, partial(self._pay, receipt))

    def _begin_to_pay(self, receipt: Receipt) -> None:
        self._shop.run(ACTOR, payments.initiate, receipt)

    def _pay(self, receipt: Receipt) -> None:
        self._count(self._shop.run(ACTOR, payments.capture, receipt))
        key = receipt.provider, receipt.provider_ref
        self.diary.receipts[key] = receipt.amount_paisa

    def _cancel(self, order_id: str, *, by_ops: bool) -> None:
        by = orders.cancel
        done = self._shop.run(ACTOR, by, order_id, "ops" if by_ops else "customer")
        if not self._count(done):
            self.diary.cancelled.add(order_id)

    # -- messages and what they lead to ------------------------------------------------

    def _arrived(self, arrival: Arrival) -> None:
        with self._shop.storage.begin() as work:
            message = work.messages.get(arrival.message_id)
        if message is None:
            self.diary.errors.append(f"a message of nobody's arrived: {arrival}")
            return
        attempt = next(self._arrivals)
        for n, said in enumerate(self._habits.receipts(message.dedupe_key, attempt)):
            report = partial(self._report, arrival, MessageStatus(said))
            self.agenda.after(5 * (n + 1) * SECOND, report)
        if message.id in self._reacted:
            return
        self._reacted.add(message.id)
        if message.purpose == "bid_invite":
            self._invited(message)
        elif message.purpose in {"confirm_request", "confirm_nudge"}:
            self._asked(message)

    def _report(self, arrival: Arrival, status: MessageStatus) -> None:
        told = StatusEvent(
            wamid=arrival.wamid,
            message_id=arrival.message_id,
            status=status,
            at=self._shop.clock(),
        )
        self._shop.run(ACTOR, apply_status, told)

    def _invited(self, message: Message) -> None:
        _, round_id, supplier_id = message.dedupe_key.split(":", 2)
        with self._shop.storage.begin() as work:
            found = work.rounds.get(round_id)
        if found is None:
            return
        bids = self._habits.bids(found.order_id, supplier_id)
        for number, one in enumerate(bids):
            amount = found.ceiling_paisa * one.bps_of_ceiling // 10_000
            at = found.opens_at + one.told_after
            bid = partial(
                self._bid, one, f"{message.id}-{number}", round_id, supplier_id, amount
            )
            for copy in range(one.copies):
                self.agenda.at(at + copy * COPY_AFTER, bid)

    def _bid(
        self, one: Offer, ref: str, round_id: str, supplier_id: str, amount: int
    ) -> None:
        made = self._shop.run(
            ACTOR,
            bidding.submit_bid,
            round_id,
            supplier_id,
            amount,
            sent_at=self._shop.clock() - one.lag,
            source=BidSource.WHATSAPP,
            source_ref=ref,
        )
        self._count(made)
        if isinstance(made, Bid):
            self.diary.bids.add(ref)

    def _asked(self, message: Message) -> None:
        with self._shop.storage.begin() as work:
            offer = work.confirmations.get(message.subject or "")
        if offer is None:
            return
        nudged = message.purpose == "confirm_nudge"
        said = self._habits.answer(offer.order_id, offer.supplier_id, nudged=nudged)
        if said.reply is Reply.SILENCE:
            return
        yes = said.reply is not Reply.NO
        answer = partial(self._answer, offer, f"{message.id}-1", accept=yes)
        for copy in range(said.copies):
            self.agenda.after(said.told_after + copy * COPY_AFTER, answer)
        if said.reply is Reply.YES_THEN_NO:
            no = partial(self._answer, offer, f"{message.id}-2", accept=False)
            self.agenda.after(said.told_after + COPY_AFTER, no)
        elif said.reply is Reply.YES_THEN_WITHDRAWN:
            later = said.told_after + self._habits.terms.confirm_window / 4
            self.agenda.after(later, partial(self._withdraw, offer))

    def _answer(self, offer: Confirmation, ref: str, *, accept: bool) -> None:
        made = self._shop.run(
            ACTOR,
            offers.answer,
            offer.id,
            accept=accept,
            supplier_id=offer.supplier_id,
            answered_at=self._shop.clock(),
            ref=ref,
        )
        if not self._count(made) and isinstance(made, Confirmation):
            self.diary.answers[ref] = offer.id

    def _withdraw(self, offer: Confirmation) -> None:
        self._count(self._shop.run(ACTOR, offers.withdraw, offer.id))

    # -- the diary ---------------------------------------------------------------------

    def _count(self, outcome: object) -> bool:
        """Count what did nothing; return whether it was nothing."""
        if isinstance(outcome, Noop):
            self.diary.nothing[outcome.why] += 1
            return True
        return False

    def _refused(self, error: PermanentError) -> None:
        self.diary.refused[str(error)] += 1

    @property
    def wall(self) -> str:
        """What the clock on the wall shows."""
        return f"{self._shop.clock().astimezone(self._shop.terms.zone):%H:%M:%S}"
