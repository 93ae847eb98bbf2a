"""What the marketplace counts of itself, and what it can tell from its rows.

A counter is a row that grows in the transaction of what it counts: it survives every
restart, and neither forgets nor invents. Gauges are read from the rows as they are.
Label values come from closed sets, never from ids.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from workflows.marketplace.rules.business_time import business_date
from workflows.marketplace.sql.gauges import Gauges
from workflows.marketplace.sql.work import SqlWork
from workflows.marketplace.terms import Terms

MS = timedelta(milliseconds=1)
SUM, COUNT = "_sum", "_count"
OTHER = "other"
PURPOSES = frozenset(
    {
        *("adhoc", "bid_invite", "confirm_nudge", "confirm_request", "credit_hold"),
        *("daily_report", "invoice_issued", "offer_closed", "order_confirmed"),
        *("order_delayed", "order_expired", "order_received", "payment_received"),
        *("payment_reminder", "refund_due"),
    }
)

COUNTERS: Mapping[str, str] = {
    "sweeper_rescued_total": "Rows that a sweep found and no timer had acted on.",
    "sweeper_failed_total": "Rows that a sweep failed on.",
    "wa_send_total": "Calls made to WhatsApp, by what came of them.",
    "wa_deferred_total": "Messages put off, by reason.",
    "wa_ambiguous_total": "Messages that may have been sent.",
    "wa_undelivered_total": "Failures told after WhatsApp took the message.",
    "webhook_bad_signature_total": "Webhooks refused for their signature.",
    "orders_expired_total": "Orders that expired, by reason.",
    "orders_cancelled_total": "Orders cancelled, by reason.",
    "order_reinstated_total": "Expired orders that late news of money revived.",
    "refund_due_total": "Times that money became due for refund.",
    "fallback_total": "Searches for the next supplier, by cause and outcome.",
    "fallback_exhausted_total": "Orders that nobody could deliver.",
    "supplier_strikes_total": "Strikes given to suppliers.",
    "rounds_closed_total": "Bidding rounds closed, by outcome and by what closed them.",
    "bids_total": "Bids, by verdict.",
    "confirmations_total": "Offers ended, by outcome.",
    "late_accept_total": "Suppliers who accepted too late.",
    "reminders_total": "Invoices reminded of, by level and way.",
    "recon_items_total": "Differences that reconciliation found, by check and state.",
    "report_revision_total": "Reports built, by type; a rebuilt one counts again.",
}
DURATIONS: Mapping[str, str] = {
    "wa_delivery_seconds": "From WhatsApp taking a message to its delivery.",
    "webhook_lag_seconds": "From what happened to its webhook, of what was news.",
    "order_expiry_late_seconds": "From an order's deadline to its expiry.",
    "round_close_late_seconds": "From the end of a round, with grace, to its close.",
    "confirmation_answer_seconds": "From an offer to its answer.",
    "confirmation_timeout_late_seconds": "From an offer's end, with grace, to this.",
}
KINDS = ("confirmation", "order", "round", "search")
FROM_ZERO: Sequence[tuple[str, Mapping[str, str]]] = (
    *(("sweeper_rescued_total", {"kind": kind}) for kind in KINDS),
    ("wa_ambiguous_total", {}),
    ("webhook_bad_signature_total", {}),
    ("fallback_exhausted_total", {}),
)  # what alerts look at is there before it first happens
BUCKETS = ((14, "14+"), (7, "7-13"), (3, "3-6"), (1, "1-2"))  # days overdue


@dataclass(slots=True)
class Metric:
    """One metric with its samples: labels and value."""

    name: str
    kind: str
    help: str
    samples: list[tuple[Mapping[str, str], float]] = field(default_factory=list)


def count(work: SqlWork, name: str, by: int = 1, **labels: str) -> None:
    """Count in the transaction of what is counted."""
    if name not in COUNTERS:
        msg = f"no counter {name}"
        raise KeyError(msg)
    work.counters.add(name, labels, by)


def observe(work: SqlWork, name: str, duration: timedelta, **labels: str) -> None:
    """Add a duration to those of its kind; a negative one is none."""
    if name not in DURATIONS:
        msg = f"no duration {name}"
        raise KeyError(msg)
    work.counters.add(name + SUM, labels, max(duration // MS, 0))
    work.counters.add(name + COUNT, labels, 1)


def purpose_label(purpose: str) -> str:
    """Return a purpose of ours; everybody else's are counted together."""
    return purpose if purpose in PURPOSES else OTHER


def read_metrics(work: SqlWork, now: datetime, terms: Terms) -> list[Metric]:
    """Return all counters and gauges as of one transaction."""
    today = business_date(now, terms.zone)
    return [*_counters(work), *_gauges(Gauges(work.connection), now, today)]


def _counters(work: SqlWork) -> list[Metric]:
    found = {name: Metric(name, "counter", text) for name, text in COUNTERS.items()}
    for name, text in DURATIONS.items():
        found[name + SUM] = Metric(name + SUM, "counter", f"{text} Seconds in all.")
        found[name + COUNT] = Metric(name + COUNT, "counter", f"{text} How many.")
    rows = [(row.name, row.labels, row.value) for row in work.counters.all()]
    there = {(name, tuple(sorted(labels.items()))) for name, labels, _ in rows}
    zeros = [
        (name, labels, 0)
        for name, labels in FROM_ZERO
        if (name, tuple(sorted(labels.items()))) not in there
    ]
    for name, labels, value in (*zeros, *rows):
        if name in found:  # else a newer program counts it
            shown = value / 1000 if name.endswith(f"_seconds{SUM}") else value
            found[name].samples.append((labels, shown))
    return list(found.values())


def _gauges(rows: Gauges, now: datetime, today: date) -> list[Metric]:
    def gauge(name: str, text: str, *samples: tuple[dict[str, str], float]) -> Metric:
        return Metric(name, "gauge", text, list(samples))

    since = rows.circuit_open_since()
    open_paisa, oldest = rows.open_items()
    overdue = dict.fromkeys((name for _, name in BUCKETS), 0)
    for due_on, paisa in rows.overdue(today):
        days = (today - due_on).days
        overdue[next(name for least, name in BUCKETS if days >= least)] += paisa
    waiting, first = rows.outbox()
    return [
        gauge(
            "wa_circuit_open",
            "Whether nothing is sent because the account is down.",
            ({}, int(since is not None)),
        ),
        gauge(
            "wa_messages",
            "Messages under way, by state.",
            *(({"status": name}, number) for name, number in rows.under_way()),
        ),
        gauge("rounds_poisoned", "Open rounds given up.", ({}, rows.poisoned_rounds())),
        gauge(
            "confirmations_poisoned",
            "Pending offers given up.",
            ({}, rows.poisoned_offers()),
        ),
        gauge(
            "recon_open_paisa",
            "Sum of the open differences of reconciliation, without signs.",
            ({}, open_paisa),
        ),
        gauge(
            "recon_oldest_open_days",
            "Age of the oldest open difference; 0 if none is open.",
            ({}, 0 if oldest is None else (today - oldest).days),
        ),
        gauge(
            "overdue_paisa",
            "What customers owe beyond its day, by days overdue.",
            *(({"days": name}, paisa) for name, paisa in overdue.items()),
        ),
        gauge(
            "credit_accounts_on_hold",
            "Accounts that may not order on credit.",
            ({}, rows.accounts_on_hold()),
        ),
        gauge(
            "ops_tasks_open",
            "Tasks that wait for a person, by kind.",
            *(({"kind": kind}, number) for kind, number in rows.open_tasks()),
        ),
        gauge("outbox_jobs", "Jobs that are not in their queue yet.", ({}, waiting)),
        gauge(
            "outbox_oldest_seconds",
            "How long the oldest of them has been due; 0 if none is.",
            ({}, 0 if first is None else max((now - first).total_seconds(), 0)),
        ),
    ]
