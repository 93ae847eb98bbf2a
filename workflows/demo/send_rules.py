"""Rules of messages: each occasion has one, and none is lost or sent twice."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from workflows.demo.books import PENDING, Books, Row
from workflows.marketplace.change import MESSAGE_QUEUE
from workflows.marketplace.confirmation import ConfirmationStatus
from workflows.marketplace.message import TAKEN, MessageStatus
from workflows.marketplace.order import OrderStatus

Broken = Iterator[tuple[str, str]]
ONE_PER_ORDER = frozenset({"order_received", "invoice_issued"})
CALL_MS = 10_000  # a call and the write of its outcome take less


@dataclass(frozen=True, slots=True)
class Sends:
    """What the other side took, by its own log, and when our consumers were killed.

    Times are real ones, in ms. `log` None: the transport keeps none.
    """

    log: Sequence[dict[str, Any]] | None = None
    kills_ms: Sequence[int] = field(default=())


def no_message_is_lost(books: Books) -> Broken:
    """Sent, or ended with a reason, or in a queue that will send it."""
    for row in books.rows["messages"]:
        job = f"{MESSAGE_QUEUE}:{row['id']}"
        if row["status"] in PENDING and job not in books.live:
            yield row["dedupe_key"], f"is {row['status']} and in no queue"
        if row["status"] == MessageStatus.FAILED and not row["error_code"]:
            yield row["dedupe_key"], "failed without a reason"
        if row["status"] == MessageStatus.EXPIRED and row["not_after"] is None:
            yield row["dedupe_key"], "expired, and may be sent at any time"


def one_message_per_occasion(books: Books) -> Broken:
    """What must be told has a message, and no occasion has two."""
    keys = Counter(row["dedupe_key"] for row in books.rows["messages"])
    for key in _occasions(books):
        if keys[key] != 1:
            yield key, f"{keys[key]} messages"
    seen: Counter[tuple[str, ...]] = Counter()
    for row in books.rows["messages"]:
        seen[_occasion(row)] += 1
    for occasion, count in seen.items():
        if count > 1:
            yield " ".join(occasion), f"{count} messages"


def _occasions(books: Books) -> Iterator[str]:
    for offer in books.rows["confirmations"]:
        if offer["id"].startswith("cnf_old-"):  # the demo's own history
            continue
        yield f"confirm:{offer['id']}"
        if offer["status"] == ConfirmationStatus.CONFIRMED:
            yield f"confirmed:{offer['id']}"
        if offer["nudged_at"] is not None:
            yield f"confirm_nudge:{offer['id']}"
    for one in books.rows["invitations"]:
        yield f"bid_invite:{one['round_id']}:{one['supplier_id']}"
    for invoice in books.rows["invoices"]:
        yield f"invoice_issued:{invoice['order_id']}"
    reinstated = {
        event["order_id"]
        for event in books.rows["order_events"]
        if event["type"] == "reinstated"
    }
    for order in books.rows["orders"]:
        if order["status"] == OrderStatus.EXPIRED:
            again = ":again" if order["id"] in reinstated else ""
            yield f"order_expired:{order['id']}{again}"


def _occasion(row: Row) -> tuple[str, ...]:
    if row["purpose"] in ONE_PER_ORDER:
        return row["purpose"], row["order_id"]
    if row["subject"] is not None:
        return row["purpose"], row["subject"], row["to_phone"] or row["to_bsuid"]
    return row["purpose"], row["dedupe_key"]


def sent_once(books: Books, sends: Sends) -> Broken:
    """Against the other side's log: twice only as far as the channel promises.

    A message may go out again if nobody was told that it went out: the answer was
    lost, or its worker was killed during the call. One that is to be sent at most
    once never does.
    """
    if sends.log is None:
        return
    rows = {row["id"]: row for row in books.rows["messages"]}
    taken = defaultdict(list)
    for one in sends.log:
        taken[one["request"]["biz_opaque_callback_data"]].append(one)
    for message_id, copies in taken.items():
        row = rows.get(message_id)
        if row is None:
            yield message_id, "went out and has no row"
            continue
        unknown = sum(_nobody_was_told(one, sends.kills_ms) for one in copies)
        known = len(copies) - unknown
        if known > 1 or (row["delivery"] == "at_most_once" and len(copies) > 1):
            detail = f"went out {len(copies)} times, {known} times with an answer"
            yield row["dedupe_key"], detail
        if known and row["status"] not in TAKEN | {MessageStatus.FAILED}:
            yield row["dedupe_key"], f"went out and is {row['status']}"
    wamids = {one["wamid"] for one in sends.log}
    for row in rows.values():
        if row["status"] in TAKEN and row["wamid"] not in wamids:
            yield row["dedupe_key"], f"is {row['status']} and never went out"


def _nobody_was_told(one: dict[str, Any], kills_ms: Sequence[int]) -> bool:
    killed = any(0 <= kill - one["at"] < CALL_MS for kill in kills_ms)
    return killed or not one["told"]
