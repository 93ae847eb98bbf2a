"""What must hold after a day, however it went: each rule says what breaks it."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from workflows.demo import money_rules, order_rules, send_rules
from workflows.demo.books import Books
from workflows.demo.diary import Diary
from workflows.demo.send_rules import Sends

Check = Callable[[Books, Diary, Sends], Iterator[tuple[str, str]]]


class Finding(NamedTuple):
    """A rule that is broken, by what, and how."""

    rule: str
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject}: {self.detail}"


RULES: dict[str, Check] = {
    "every posting balances": lambda b, _d, _s: money_rules.postings_balance(b),
    "advances and debts are what payments and invoices say": (
        lambda b, _d, _s: money_rules.parties_agree(b)
    ),
    "orders hold the money and the credit that was given for them": (
        lambda b, _d, _s: money_rules.orders_agree(b)
    ),
    "each delivery has its one invoice, numbered without a gap": (
        lambda b, _d, _s: money_rules.invoices_follow_deliveries(b)
    ),
    "nothing that was accepted is missing": (
        lambda b, d, _s: order_rules.nothing_is_missing(b, d)
    ),
    "every order is closed, or somebody still acts on it": (
        lambda b, _d, _s: order_rules.no_order_is_stuck(b)
    ),
    "an order has one supplier": lambda b, _d, _s: order_rules.one_winner(b),
    "the best bid won": lambda b, _d, _s: order_rules.best_bid_won(b),
    "every message went out, or was dropped with a reason": (
        lambda b, _d, _s: send_rules.no_message_is_lost(b)
    ),
    "each occasion has its one message": (
        lambda b, _d, _s: send_rules.one_message_per_occasion(b)
    ),
    "no message went out twice but for an answer that was lost": (
        lambda b, _d, s: send_rules.sent_once(b, s)
    ),
    "every job that was asked for is in its queue": (
        lambda b, _d, _s: order_rules.outbox_is_empty(b)
    ),
    "every dead letter has a reason": (
        lambda b, d, _s: order_rules.dead_for_a_reason(b, d)
    ),
    "the store keeps its invariants": (
        lambda b, _d, _s: (("store", fault) for fault in b.faults)
    ),
    "nothing failed without a word": (
        lambda _b, d, _s: (("demo", error) for error in d.errors)
    ),
}


def check(books: Books, diary: Diary, sends: Sends) -> list[Finding]:
    """Return what is broken; nothing, if every rule holds."""
    return [
        Finding(rule, *found)
        for rule, broken in RULES.items()
        for found in broken(books, diary, sends)
    ]


def told(findings: list[Finding], *, of_each: int = 3) -> Iterator[str]:
    """Give lines: each broken rule with how often, and the first few."""
    for rule, count in Counter(finding.rule for finding in findings).items():
        yield f"BROKEN ({count}): {rule}"
        first = [finding for finding in findings if finding.rule == rule][:of_each]
        yield from (f"  {finding.subject}: {finding.detail}" for finding in first)
