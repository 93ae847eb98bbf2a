"""Rules of the money."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from workflows.demo.books import Books, Row
from workflows.marketplace.billing import InvoiceStatus, PaymentMethod, PaymentState
from workflows.marketplace.confirmation import ConfirmationStatus
from workflows.marketplace.credit import HoldStatus
from workflows.marketplace.ledger import Account, Side
from workflows.marketplace.order import OrderStatus, PaymentStatus

Broken = Iterator[tuple[str, str]]
RECEIVED = frozenset({PaymentState.CAPTURED, PaymentState.REFUNDED})
DELIVERED = frozenset({OrderStatus.DELIVERED, OrderStatus.COMPLETED})
UNSERVED = frozenset({OrderStatus.EXPIRED, OrderStatus.CANCELLED})
OVER = DELIVERED | UNSERVED


def postings_balance(books: Books) -> Broken:
    """Debits equal credits in each transaction, and each was posted."""
    sums: Counter[str] = Counter()
    for entry in books.rows["ledger_entries"]:
        sums[entry["key"]] += _signed(entry)
    for head in books.rows["ledger_transactions"]:
        if sums[head["key"]] or head["key"] not in sums or not head["posted"]:
            yield head["key"], f"debits minus credits are {sums[head['key']]} paisa"
    if sums.keys() - books.postings:
        yield "ledger", f"entries of no transaction: {sums.keys() - books.postings}"


def parties_agree(books: Books) -> Broken:
    """The ledger's advances and receivables of each customer, and their rows."""
    ledger: defaultdict[Account, Counter[str]] = defaultdict(Counter)
    for entry in books.rows["ledger_entries"]:
        ledger[entry["account"]][entry["party_id"]] += _signed(entry)
    free: Counter[str] = Counter()
    for payment in books.rows["payments"]:
        if payment["status"] == PaymentState.CAPTURED:
            free[payment["customer_id"]] -= (
                payment["amount_paisa"] - payment["allocated_paisa"]
            )
    owed: Counter[str] = Counter()
    for invoice in books.rows["invoices"]:
        if invoice["status"] == InvoiceStatus.OPEN:
            outstanding = invoice["total_paisa"] - invoice["settled_paisa"]
            owed[invoice["customer_id"]] += outstanding
    yield from _differ("advances", ledger[Account.ADVANCES], free)
    yield from _differ("debts", ledger[Account.RECEIVABLES], owed)
    cached = {
        account["customer_id"]: account["balance_paisa"]
        for account in books.rows["credit_accounts"]
    }
    debts = {one: ledger[Account.RECEIVABLES][one] for one in cached}
    yield from _differ("credit account", Counter(debts), Counter(cached))


def _differ(what: str, ledger: Counter[str], rows: Counter[str]) -> Broken:
    for party in sorted(ledger.keys() | rows.keys()):
        if ledger[party] != rows[party]:
            detail = f"{what}: {ledger[party]} by the ledger, {rows[party]} by the rows"
            yield party, detail


def orders_agree(books: Books) -> Broken:
    """Money of an order, what is due for refund, and what credit it holds."""
    payments = books.by("payments", "order_id")
    for order_id, order in books.orders.items():
        mine = payments.get(order_id, [])
        kept = [p for p in mine if p["status"] == PaymentState.CAPTURED]
        if order["paid_paisa"] > sum(p["amount_paisa"] for p in kept):
            yield order_id, f"{order['paid_paisa']} paid, and the payments are less"
        back = order["payment_status"]
        if order["status"] in UNSERVED and kept and back != PaymentStatus.REFUND_DUE:
            yield order_id, f"is {order['status']}, keeps money and is {back}"
        if back == PaymentStatus.REFUNDED and kept:
            yield order_id, "is refunded and keeps money"
    held: Counter[str] = Counter()
    for hold in books.rows["credit_holds"]:
        order = books.orders[hold["order_id"]]
        if hold["status"] == HoldStatus.ACTIVE:
            held[hold["account_id"]] += hold["amount_paisa"]
            if order["status"] in OVER:
                yield order["id"], f"is {order['status']} and holds credit"
    for account in books.rows["credit_accounts"]:
        if account["held_paisa"] != held[account["id"]]:
            detail = f"{account['held_paisa']} held, {held[account['id']]} by the holds"
            yield account["id"], detail


def invoices_follow_deliveries(books: Books) -> Broken:
    """Invoices, their numbers, and what was posted and paid with them."""
    invoices = books.by("invoices", "order_id")
    for order_id, order in books.orders.items():
        expected = 1 if order["status"] in DELIVERED else 0
        if len(invoices.get(order_id, [])) != expected:
            found = len(invoices.get(order_id, []))
            yield order_id, f"is {order['status']} and has {found} invoices"
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    settled: Counter[str] = Counter()
    for one in books.rows["allocations"]:
        settled[one["invoice_id"]] += one["amount_paisa"]
    for invoice in books.rows["invoices"]:
        series, _, number = invoice["number"].rpartition("-")
        numbers[series].append(int(number))
        yield from _invoice(books, invoice, settled[invoice["id"]])
    for series, taken in numbers.items():
        if sorted(taken) != list(range(1, len(taken) + 1)):
            yield series, f"numbers {min(taken)} to {max(taken)}, {len(taken)} of them"
    yield from _posted(books)


def _invoice(books: Books, invoice: Row, settled: int) -> Broken:
    order = books.orders[invoice["order_id"]]
    if invoice["total_paisa"] != order["total_paisa"]:
        yield invoice["number"], "asks for another sum than the order"
    if invoice["settled_paisa"] != settled:
        detail = f"{invoice['settled_paisa']} settled, {settled} by what was allocated"
        yield invoice["number"], detail
    paid = invoice["status"] == InvoiceStatus.PAID
    if paid != (order["status"] == OrderStatus.COMPLETED):
        detail = f"is {invoice['status']}, its order {order['status']}"
        yield invoice["number"], detail


def _posted(books: Books) -> Broken:
    """Everything that moves money is in the ledger."""
    keys = [f"inv:{invoice['id']}" for invoice in books.rows["invoices"]]
    keys += [
        f"pay:{payment['id']}"
        for payment in books.rows["payments"]
        if payment["status"] in RECEIVED
        and payment["method"] != PaymentMethod.CREDIT_NOTE
    ]
    keys += [
        f"cost:{offer['id']}"
        for offer in books.rows["confirmations"]
        if offer["status"] == ConfirmationStatus.CONFIRMED
        and books.orders[offer["order_id"]]["status"] in DELIVERED
    ]
    for key in keys:
        if key not in books.postings:
            yield key, "was never posted"


def _signed(entry: Row) -> int:
    amount: int = entry["amount_paisa"]
    return amount if entry["side"] == Side.DEBIT else -amount
