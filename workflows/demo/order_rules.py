"""Rules of orders, and of the jobs and workflows that act on them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields

from workflows.demo.books import Books, Row
from workflows.demo.diary import Diary
from workflows.marketplace.bidding import Bid, BidStatus, RoundStatus
from workflows.marketplace.billing import PaymentState
from workflows.marketplace.change import MESSAGE_QUEUE
from workflows.marketplace.confirmation import LIVE, ConfirmationStatus
from workflows.marketplace.message import TAKEN, MessageStatus
from workflows.marketplace.order import Order, OrderStatus
from workflows.marketplace.rules.bidding import rank

Broken = Iterator[tuple[str, str]]
CLOSED = frozenset({OrderStatus.COMPLETED, OrderStatus.EXPIRED, OrderStatus.CANCELLED})
SERVED = frozenset(
    {OrderStatus.CONFIRMED, OrderStatus.DELIVERED, OrderStatus.COMPLETED}
)
COUNTED = frozenset({BidStatus.ACTIVE, BidStatus.WON, BidStatus.LOST})


def nothing_is_missing(books: Books, diary: Diary) -> Broken:
    """All that was answered with yes is there, once."""
    for order_id, total in diary.orders.items():
        if order_id not in books.orders:
            yield order_id, "was placed and is not there"
        elif books.orders[order_id]["total_paisa"] != total:
            yield order_id, f"was placed for {total} paisa"
    receipts = Counter(
        (row["provider"], row["provider_ref"], row["amount_paisa"])
        for row in books.rows["payments"]
        if row["status"] in {PaymentState.CAPTURED, PaymentState.REFUNDED}
    )
    for (provider, ref), amount in diary.receipts.items():
        if receipts[provider, ref, amount] != 1:
            times = receipts[provider, ref, amount]
            yield ref, f"{amount} paisa were taken {times} times"
    bids = Counter(row["source_ref"] for row in books.rows["bids"])
    yield from ((ref, f"{bids[ref]} bids") for ref in diary.bids if bids[ref] != 1)
    yield from _ends_are_missing(books, diary)


def _ends_are_missing(books: Books, diary: Diary) -> Broken:
    offers = {row["id"]: row for row in books.rows["confirmations"]}
    for ref, offer_id in diary.answers.items():
        offer = offers.get(offer_id)
        if offer is None or offer["answered_at"] is None:
            yield ref, f"the answer to {offer_id} is not there"
    payments = {row["id"]: row["status"] for row in books.rows["payments"]}
    for payment_id in diary.refunded:
        if payments.get(payment_id) != PaymentState.REFUNDED:
            yield payment_id, "was sent back and is not refunded"
    statuses = {order_id: row["status"] for order_id, row in books.orders.items()}
    for order_id in diary.delivered:
        if statuses.get(order_id) not in {OrderStatus.DELIVERED, OrderStatus.COMPLETED}:
            yield order_id, "was delivered and does not say so"
    for order_id in diary.cancelled:
        if statuses.get(order_id) is not OrderStatus.CANCELLED:
            yield order_id, "was cancelled and does not say so"


def no_order_is_stuck(books: Books) -> Broken:
    """An open order has a workflow and is not past its time; a closed one has none."""
    yield from _orders_stuck(books)
    yield from ((one, "its workflow has failed") for one in sorted(books.broken))
    for found in books.rows["rounds"]:
        late = found["closes_at"] + books.slack < books.now
        if found["status"] == RoundStatus.OPEN and late:
            yield found["id"], "is open after its close"
    for offer in books.rows["confirmations"]:
        late = offer["respond_by"] + books.slack < books.now
        if offer["status"] == ConfirmationStatus.PENDING and late:
            yield offer["id"], "is pending after its end"


def _orders_stuck(books: Books) -> Broken:
    names = [field.name for field in fields(Order)]
    for order_id, row in books.orders.items():
        if row["status"] in CLOSED:
            if order_id in books.running:
                yield order_id, f"is {row['status']} and its workflow goes on"
            continue
        if order_id not in books.running:
            yield order_id, f"is {row['status']} and has no workflow"
        due_at = Order(**{name: row[name] for name in names}).due_at()
        if due_at is not None and due_at + books.slack < books.now:
            yield order_id, f"is {row['status']} since its deadline {due_at:%H:%M:%S}"
        if row["status"] in {OrderStatus.PLACED, OrderStatus.FALLBACK}:
            yield order_id, f"is {row['status']}, where nothing stays"


def one_winner(books: Books) -> Broken:
    """One live offer at most; exactly one, confirmed, once the order is served."""
    offers = books.by("confirmations", "order_id")
    for order_id, order in books.orders.items():
        live = [o for o in offers.get(order_id, []) if o["status"] in LIVE]
        bound = [o for o in live if o["status"] == ConfirmationStatus.CONFIRMED]
        if len(live) > 1:
            yield order_id, f"{len(live)} suppliers hold its offer"
        if (order["status"] in SERVED) != (len(bound) == 1):
            yield order_id, f"is {order['status']} and bound to {len(bound)} suppliers"


def best_bid_won(books: Books) -> Broken:
    """By the rule that everybody can recompute."""
    bids = books.by("bids", "round_id")
    for found in books.rows["rounds"]:
        made = [_bid(row) for row in bids.get(found["id"], [])]
        counted = [bid for bid in made if bid.status in COUNTED]
        if found["status"] == RoundStatus.NO_BIDS and counted:
            yield found["id"], f"ended without bids, and has {len(counted)}"
        if found["status"] != RoundStatus.AWARDED:
            continue
        best = rank(counted)[0].id if counted else "nobody"
        if best != found["winner_bid_id"]:
            yield found["id"], f"{found['winner_bid_id']} won, {best} was better"
        won = sum(bid.status is BidStatus.WON for bid in counted)
        if won != 1:
            yield found["id"], f"{won} bids have won"


def _bid(row: Row) -> Bid:
    return Bid(**{field.name: row[field.name] for field in fields(Bid)})


def outbox_is_empty(books: Books) -> Broken:
    """Whoever commits next adds the jobs of a process that died; nothing waits."""
    for job in books.rows["job_outbox"]:
        if job["relayed_at"] is None and job["run_at"] + books.slack < books.now:
            yield job["job_id"], f"waits for the queue {job['queue']}"


def dead_for_a_reason(books: Books, diary: Diary) -> Broken:
    """A message that can never be sent, or what the demo planted; and nothing else."""
    messages = {f"{MESSAGE_QUEUE}:{row['id']}": row for row in books.rows["messages"]}
    for letter in books.dead:
        if not letter.reason or not letter.said:
            yield letter.job_id, "is dead and nobody knows why"
        elif letter.queue == MESSAGE_QUEUE:
            row = messages.get(letter.job_id)
            ended = TAKEN | {MessageStatus.FAILED, MessageStatus.SUPPRESSED}
            if row is None or row["status"] not in ended:
                status = None if row is None else row["status"]
                detail = f"is dead ({letter.said}), its message {status}"
                yield letter.job_id, detail
        elif letter.job_id not in diary.planted:
            yield letter.job_id, f"is dead in {letter.queue}: {letter.said}"
    for missing in diary.planted - {letter.job_id for letter in books.dead}:
        yield missing, "was planted and is no dead letter"
