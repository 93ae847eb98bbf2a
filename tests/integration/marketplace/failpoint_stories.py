"""A story for each job type and for the order's life: what people do, and when."""

from dataclasses import replace
from datetime import date, timedelta

from tests.integration.marketplace import story
from tests.integration.marketplace.invoices import invoice
from tests.integration.marketplace.mortal_shop import Act, AnyShop, Story
from tests.integration.marketplace.shop import PHONE
from tests.integration.marketplace.story import ORDER, at
from workflows.marketplace.backoffice import OutboxJob
from workflows.marketplace.change import Timers
from workflows.marketplace.parties import Customer
from workflows.marketplace.transitions import delivery, orders, payments

NIGHT = date(2026, 11, 25)
FLAKY, ABSENT = "+9779841000007", "+9779841000008"


def say(key: str, phone: str) -> Act:
    payload = {"phoneNumber": phone, "message": key}
    return lambda shop: shop.send(payload, job_id=key)


def reply(letter: str, *, accept: bool) -> Act:
    """Answer the offer that this supplier has."""

    def act(shop: AnyShop) -> object:
        own = [o for o in story.all_offers(shop) if o.supplier_id == f"sup_{letter}"]
        name = f"{letter}-{accept}"
        return story.answer(shop, accept=accept, offer=own[-1].id, ref=name)

    return act


def asks(queue: str, **payload: object) -> Act:
    """Add a job of the queue."""
    return lambda shop: shop.ask(queue, payload, f"the-{queue}")


def bids(shop: AnyShop) -> None:
    for letter, amount in (("A", 4_020_000), ("B", 4_000_000), ("C", 3_995_000)):
        story.bid(shop, letter, amount, "10:05", ref=f"wamid-{letter}")


def three_bids(shop: AnyShop) -> None:
    """It is 10:05, and three have bid."""
    story.place(shop)
    story.pay(shop)
    shop.run_until(at("10:05"))
    bids(shop)


def awarded(shop: AnyShop) -> None:
    """C has the offer since 10:10:20."""
    three_bids(shop)
    shop.run_until(at("10:10:20"))


def a_day(shop: AnyShop) -> None:
    """It is almost midnight, and nobody has taken the order."""
    three_bids(shop)
    shop.run_until(at("23:59"))


def without_timers_of(queue: str, before: Act) -> Act:
    """Lose the timers in this queue, as a flushed Redis would."""

    def act(shop: AnyShop) -> None:
        add = shop.add

        def lose(job: OutboxJob, delay: timedelta) -> bool:
            return job.queue == queue or add(job, delay)

        shop.add = lose  # type: ignore[method-assign]
        before(shop)
        del shop.add

    return act


def refund_all(shop: AnyShop) -> None:
    with shop.storage.begin() as work:
        paid = work.payments.of_order(ORDER)
    for payment in paid:
        shop.market.run("ops", payments.refund, payment.id)


def cancel(order_id: str) -> Act:
    return lambda shop: shop.market.run("api", orders.cancel, order_id, "customer")


def debts(shop: AnyShop) -> None:
    """One customer owes for one, seven and fourteen days, another for three."""
    with shop.storage.begin() as work:
        work.customers.add(Customer(id="cus_2", name="Two", area="KTM", phone=FLAKY))
        work.customers.add(Customer(id="cus_3", name="Three", area="KTM"))
    for number, (day, customer) in enumerate(
        [(10, "cus_1"), (17, "cus_1"), (23, "cus_1"), (21, "cus_2"), (21, "cus_3")]
    ):
        due = date(2026, 11, day)
        invoice(shop, f"INV-{number}", due, 100_000, customer=customer)


def pay_debts(shop: AnyShop) -> None:
    story.pay(shop, 300_000, order_id=None, ref="all")


def disagreeing_books(shop: AnyShop) -> None:
    """A wrong balance, a wrong invoice, free money, and a debt of two weeks."""
    story.pay(shop, 50_000, order_id=None, ref="early")
    wrong = invoice(shop, "INV-1", date(2026, 11, 30), 100_000)
    invoice(shop, "INV-2", date(2026, 11, 11), 70_000)
    with shop.storage.begin() as work:
        less = replace(wrong, subtotal_paisa=99_950, total_paisa=99_950)
        work.invoices.move(wrong, less)
        account = work.credit_accounts.of_customer("cus_1")
        assert account is not None
        work.credit_accounts.move(account, replace(account, balance_paisa=5))


def placed(name: str, *, credit: bool = False) -> Act:
    return lambda shop: story.place(shop, name, credit=credit)


def life(timers: Timers) -> Story:
    """Two orders, from placement to delivery and to cancellation."""
    return Story(
        timers=timers,
        acts=(
            (at("10:00"), story.place),
            (at("10:00"), placed("ord_2", credit=True)),
            (at("10:00"), placed("ord_3")),
            (at("10:01"), story.pay),
            (at("10:05"), bids),
            (at("10:06"), cancel("ord_2")),
            (at("10:24"), reply("C", accept=False)),
            (at("10:37"), reply("B", accept=True)),
            (at("11:00"), lambda s: s.market.run("api", delivery.deliver, ORDER)),
        ),
        until=at("15:00"),
    )


STORIES = {
    "whatsapp-message-send": Story(
        acts=(
            (at("10:00"), say("fine", PHONE)),
            (at("10:00"), say("second-time", FLAKY)),
            (at("10:00"), say("never", ABSENT)),
        ),
        fails=((FLAKY, 131016), *((ABSENT, 131026),) * 3),
        until=at("10:30"),
    ),
    "order-expiry": Story(
        before=story.place,
        acts=(
            (at("10:10"), lambda shop: story.pay(shop, 2_000_000)),
            (at("10:45"), refund_all),
        ),
        until=at("11:00"),
    ),
    "vendor-fallback": Story(
        before=awarded,
        acts=(
            (at("10:24"), reply("C", accept=False)),
            (at("10:37"), reply("B", accept=False)),
            (at("10:50"), reply("A", accept=False)),
        ),
        until=at("15:00"),
    ),
    "bidding-timeout": Story(before=three_bids, acts=(), until=at("10:16")),
    "bidding-timeout, swept": Story(
        before=without_timers_of("bidding-timeout", three_bids),
        acts=((at("10:14"), asks("bidding-timeout")),),
        until=at("10:19"),
    ),
    "wholesaler-confirmation-timeout": Story(
        before=awarded,
        acts=((at("10:38"), reply("B", accept=True)),),
        until=at("10:50"),
    ),
    "wholesaler-confirmation-timeout, swept": Story(
        before=without_timers_of("wholesaler-confirmation-timeout", awarded),
        acts=(
            (at("10:26:30"), asks("wholesaler-confirmation-timeout")),
            (at("10:39"), reply("B", accept=True)),
        ),
        until=at("10:50"),
    ),
    "payment-reminders": Story(
        before=debts,
        acts=(
            (at("10:10"), asks("payment-reminders")),
            (at("15:00"), pay_debts),
        ),
        until=at("15:30"),
    ),
    "credit-reconciliation": Story(
        before=disagreeing_books,
        acts=((at("02:00", NIGHT), asks("credit-reconciliation")),),
        until=at("03:00", NIGHT),
    ),
    "daily-reports": Story(
        before=a_day,
        acts=((at("00:00", NIGHT), asks("daily-reports")),),
        until=at("01:00", NIGHT),
    ),
    "order-lifecycle, jobs": life(Timers.JOBS),
    "order-lifecycle, workflow": life(Timers.WORKFLOW),
}
