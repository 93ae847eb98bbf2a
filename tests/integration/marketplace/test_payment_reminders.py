"""The acceptance scenarios of `payment-reminders`."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.integration.marketplace import story
from tests.integration.marketplace.conftest import Deliveries
from tests.integration.marketplace.invoices import invoice
from tests.integration.marketplace.shop import PHONE, Shop
from tests.integration.marketplace.story import at
from workflows.jobs.payment_reminders import processor
from workflows.jobs.payment_reminders.payload import PaymentReminders
from workflows.jobs.payment_reminders.processor import remind_all
from workflows.marketplace.change import Change, Noop
from workflows.marketplace.content import TemplateContent
from workflows.marketplace.credit import CreditStatus
from workflows.marketplace.errors import TransientError
from workflows.marketplace.message import MessageStatus, Recipient
from workflows.marketplace.parties import Customer
from workflows.marketplace.transitions.reminders import promise, remind

DUE = date(2026, 11, 10)


def november(day: int) -> date:
    return date(2026, 11, day)


def morning(shop: Shop, day: int, wall: str = "09:00") -> dict[str, object]:
    """Run the job on that day, and send what it wrote."""
    shop.move_to(at(wall, november(day)))
    done = remind_all(shop.market, PaymentReminders(), f"run-{day}")
    shop.run_for(60)
    return done


def sent(deliveries: Deliveries) -> list[str]:
    """Return the reminders' templates, shortened."""
    templates = [m.content for m in deliveries.sent if m.purpose == "payment_reminder"]
    assert all(isinstance(content, TemplateContent) for content in templates)
    return [getattr(c, "name", "")[len("payment_reminder_") : -3] for c in templates]


def total_of(deliveries: Deliveries) -> str:
    content = deliveries.sent[-1].content
    assert isinstance(content, TemplateContent)
    return content.body_params[1]


def change_invoice(shop: Shop, name: str, **changes: object) -> None:
    with shop.storage.begin() as work:
        old = work.invoices.get(name)
        assert old is not None
        work.invoices.move(old, replace(old, **changes))  # type: ignore[arg-type]


def test_pr_1_four_levels_in_two_weeks_then_no_more_credit(
    market: Shop, deliveries: Deliveries
) -> None:
    invoice(market, "INV-11", DUE, 4_859_000)
    levels = {}
    for day in range(10, 31):
        before = len(sent(deliveries))
        morning(market, day)
        if len(sent(deliveries)) > before:
            levels[day] = sent(deliveries)[-1]
        on_hold = story.account(market).status is CreditStatus.ON_HOLD
        assert on_hold == (day >= 24)
    assert levels == {11: "l1", 13: "l2", 17: "l3", 24: "l4"}
    assert deliveries.to(PHONE).count("credit_hold") == 1
    assert "collect:cus_1:2026-11-24" in {task.key for task in story.tasks(market)}


def test_pr_2_what_was_paid_is_not_asked_for(
    market: Shop, deliveries: Deliveries
) -> None:
    invoice(market, "INV-11", DUE, 4_859_000)
    morning(market, 11)
    story.pay(market, 3_000_000, order_id=None)
    morning(market, 13)
    assert sent(deliveries) == ["l1", "l2"]
    assert total_of(deliveries) == "Rs. 18,590.00"


def test_pr_3_a_level_missed_is_skipped(market: Shop, deliveries: Deliveries) -> None:
    invoice(market, "INV-11", DUE, 4_859_000)
    morning(market, 11)
    morning(market, 17)
    assert sent(deliveries) == ["l1", "l3"]


def test_pr_4_however_often_it_runs_there_is_one_message(
    market: Shop, deliveries: Deliveries
) -> None:
    invoice(market, "INV-11", DUE, 4_859_000)
    assert morning(market, 17)["outcome"] == "done"
    other = remind_all(market.market, PaymentReminders(), "another scheduler")
    assert other["outcome"] == "noop:claimed"
    market.move_to(at("09:30", november(17)))
    by_hand = PaymentReminders(customer_id="cus_1")
    assert remind_all(market.market, by_hand, "by hand")["customers"] == 0
    assert remind_all(market.market, PaymentReminders(), "run-17")["outcome"] == (
        "noop:claimed"
    )
    market.run_for(60)
    assert sent(deliveries) == ["l3"]


def test_pr_5_one_message_speaks_of_all_that_is_overdue(
    market: Shop, deliveries: Deliveries
) -> None:
    invoice(market, "INV-11", DUE, 4_859_000)
    invoice(market, "INV-12", november(17), 1_000_000)
    invoice(market, "INV-13", november(22), 500_000)
    change_invoice(market, "INV-13", reminder_level=1)
    done = morning(market, 24)
    assert done["invoicesByLevel"] == {"3": 1, "4": 1}
    assert sent(deliveries) == ["l4"]
    spoken = next(m for m in deliveries.sent if m.purpose == "payment_reminder")
    assert isinstance(spoken.content, TemplateContent)
    assert spoken.content.body_params == (
        "INV-11, INV-12, INV-13",
        "Rs. 63,590.00",
        "14",
    )


def test_pr_6_who_pays_before_it_is_sent_hears_nothing(
    market: Shop, deliveries: Deliveries
) -> None:
    invoice(market, "INV-11", DUE, 4_859_000)
    market.move_to(at("09:00", november(11)))
    remind_all(market.market, PaymentReminders(), "run")
    story.pay(market, 4_859_000, order_id=None)
    market.run_for(60)
    assert sent(deliveries) == []
    row = market.message_with("reminder:cus_1:2026-11-11")
    assert row.status is MessageStatus.SUPPRESSED


def test_pr_7_a_run_in_the_evening_is_left_to_the_next_morning(
    market: Shop, deliveries: Deliveries
) -> None:
    invoice(market, "INV-11", DUE, 4_859_000)
    assert morning(market, 13, "21:10")["outcome"] == "noop:skipped"
    morning(market, 14)
    assert sent(deliveries) == ["l2"]


@pytest.mark.parametrize(("owed", "messages"), [(9_999, []), (10_000, ["l1"])])
def test_pr_8_less_than_a_hundred_rupees_is_not_asked_for(
    market: Shop, deliveries: Deliveries, owed: int, messages: list[str]
) -> None:
    invoice(market, "INV-11", DUE, owed)
    morning(market, 11)
    assert sent(deliveries) == messages


def test_pr_9_the_day_is_that_of_kathmandu(
    market: Shop, deliveries: Deliveries
) -> None:
    invoice(market, "INV-11", november(23), 4_859_000)
    assert morning(market, 24)["date"] == "2026-11-24"
    assert sent(deliveries) == ["l1"]


def test_pr_11_a_promise_silences_a_week_at_most(
    market: Shop, deliveries: Deliveries
) -> None:
    invoice(market, "INV-11", DUE, 4_859_000)
    morning(market, 17)
    market.move_to(at("12:00", november(18)))
    assert market.market.run("webhook", promise, "cus_1", 26) == Noop("too_far")
    assert market.market.run("webhook", promise, "cus_1", 25) == november(25)
    again = market.market.run("webhook", promise, "cus_1", 24)
    assert again == Noop("promised_before")
    for day in range(19, 27):
        morning(market, day)
    assert sent(deliveries) == ["l3", "l4"]
    assert story.account(market).status is CreditStatus.ON_HOLD
    assert market.now().date() == november(26)


def test_who_cannot_be_reached_is_called(market: Shop, deliveries: Deliveries) -> None:
    invoice(market, "INV-11", DUE, 4_859_000)
    with market.storage.begin() as work:
        work.recipients.put(Recipient(key=PHONE, opted_out=True))
    morning(market, 11)
    assert sent(deliveries) == []
    assert "call:cus_1:2026-11-11" in {task.key for task in story.tasks(market)}
    with market.storage.begin() as work:
        found = work.invoices.get("INV-11")
    assert found is not None
    assert found.reminder_level == 1


def test_a_disputed_invoice_is_not_asked_for(
    market: Shop, deliveries: Deliveries
) -> None:
    invoice(market, "INV-11", DUE, 4_859_000)
    change_invoice(market, "INV-11", disputed=True)
    morning(market, 24)
    assert sent(deliveries) == []


def test_a_dry_run_writes_nothing(market: Shop, deliveries: Deliveries) -> None:
    invoice(market, "INV-11", DUE, 4_859_000)
    market.move_to(at("09:00", november(11)))
    dry = remind_all(market.market, PaymentReminders(dry_run=True), "dry")
    assert dry["customers"] == 1
    morning(market, 11)
    assert sent(deliveries) == ["l1"]


def test_one_customer_who_fails_keeps_no_other_waiting(
    market: Shop, deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice(market, "INV-11", DUE, 4_859_000)
    with market.storage.begin() as work:
        work.customers.add(Customer(id="cus_0", name="Zero", area="KTM"))
    invoice(market, "INV-00", DUE, 4_859_000, customer="cus_0")

    def fail_for_zero(change: Change, customer_id: str, today: date) -> object:
        if customer_id == "cus_0":
            raise ZeroDivisionError
        return remind(change, customer_id, today)

    with monkeypatch.context() as patched:
        patched.setattr(processor, "remind", fail_for_zero)
        with pytest.raises(TransientError, match="1 customers failed, 1 were"):
            morning(market, 11)
    market.run_for(30)
    again = remind_all(market.market, PaymentReminders(), "run-11")
    assert again["customers"] == 1
    market.run_for(60)
    assert sent(deliveries) == ["l1"]


def test_pr_13_all_reminders_of_a_morning_are_handed_over_at_once(
    market: Shop,
) -> None:
    for number in range(40):
        with market.storage.begin() as work:
            work.customers.add(
                Customer(
                    id=f"many_{number}",
                    name="Shop",
                    area="KTM",
                    phone=f"+97798430000{number:02}",
                )
            )
        invoice(market, f"INV-{number}", DUE, 100_000, customer=f"many_{number}")
    market.move_to(at("09:00", november(11)))
    done = remind_all(market.market, PaymentReminders(), "run")
    assert done["customers"] == 40
    with market.storage.begin() as work:
        assert work.outbox.waiting(100) == []
    assert market.now() - at("09:00", november(11)) < timedelta(seconds=25)
