"""Which entries an event of the business makes. Keys say what is posted once."""

from workflows.marketplace.ledger import Account, Entry, Posting, Side, credit, debit

CLEARING = {"esewa": Account.ESEWA, "khalti": Account.KHALTI}


def clearing_account(provider: str) -> Account:
    """Return where a provider's money is until it settles: a wallet's own, or bank."""
    return CLEARING.get(provider, Account.BANK)


def payment_captured(
    payment_id: str, provider: str, customer_id: str, amount_paisa: int
) -> Posting:
    """Money came in: it is the customer's advance until an invoice takes it."""
    return Posting(
        key=f"pay:{payment_id}",
        kind="payment",
        entries=(
            debit(clearing_account(provider), amount_paisa),
            credit(Account.ADVANCES, amount_paisa, customer_id),
        ),
    )


def invoice_issued(
    invoice_id: str, customer_id: str, *, subtotal_paisa: int, vat_paisa: int
) -> Posting:
    """Goods were delivered: the customer owes, we owe the tax."""
    entries = [
        debit(Account.RECEIVABLES, subtotal_paisa + vat_paisa, customer_id),
        credit(Account.SALES, subtotal_paisa),
    ]
    if vat_paisa:
        entries.append(credit(Account.OUTPUT_VAT, vat_paisa))
    return Posting(key=f"inv:{invoice_id}", kind="invoice", entries=tuple(entries))


def supplier_cost(
    confirmation_id: str, supplier_id: str, *, amount_paisa: int, vat_paisa: int
) -> Posting:
    """Goods were delivered: we owe the supplier his offer and its tax."""
    entries = [
        debit(Account.PURCHASES, amount_paisa),
        credit(Account.PAYABLES, amount_paisa + vat_paisa, supplier_id),
    ]
    if vat_paisa:
        entries.append(debit(Account.INPUT_VAT, vat_paisa))
    return Posting(key=f"cost:{confirmation_id}", kind="cost", entries=tuple(entries))


def advance_applied(
    payment_id: str, invoice_id: str, customer_id: str, amount_paisa: int
) -> Posting:
    """A receipt pays an invoice, or a part of it."""
    return Posting(
        key=f"apply:{payment_id}:{invoice_id}",
        kind="allocation",
        entries=(
            debit(Account.ADVANCES, amount_paisa, customer_id),
            credit(Account.RECEIVABLES, amount_paisa, customer_id),
        ),
    )


def refund_paid(payment_id: str, customer_id: str, amount_paisa: int) -> Posting:
    """Money went back to the customer."""
    return Posting(
        key=f"refund:{payment_id}",
        kind="refund",
        entries=(
            debit(Account.ADVANCES, amount_paisa, customer_id),
            credit(Account.BANK, amount_paisa),
        ),
    )


def credit_note(
    payment_id: str, customer_id: str, *, net_paisa: int, vat_paisa: int
) -> Posting:
    """A part of an invoice is taken back."""
    entries = [
        debit(Account.SALES, net_paisa),
        credit(Account.RECEIVABLES, net_paisa + vat_paisa, customer_id),
    ]
    if vat_paisa:
        entries.append(debit(Account.OUTPUT_VAT, vat_paisa))
    return Posting(key=f"cn:{payment_id}", kind="credit_note", entries=tuple(entries))


def rounding(key: str, customer_id: str, receivable_change_paisa: int) -> Posting:
    """Move a receivable by a few paisa, up or down, to what the invoices say."""
    amount = abs(receivable_change_paisa)
    up = receivable_change_paisa > 0
    receivable = debit if up else credit
    other = credit if up else debit
    return Posting(
        key=key,
        kind="adjustment",
        entries=(
            receivable(Account.RECEIVABLES, amount, customer_id),
            other(Account.ROUNDING, amount),
        ),
    )


def reversal(posting: Posting) -> Posting:
    """Undo a posting: the same entries on the other side."""
    return Posting(
        key=f"reverse:{posting.key}",
        kind="reversal",
        entries=tuple(_other_side(entry) for entry in posting.entries),
        reverses=posting.key,
    )


def _other_side(entry: Entry) -> Entry:
    side = Side.CREDIT if entry.side is Side.DEBIT else Side.DEBIT
    return Entry(
        account=entry.account,
        side=side,
        amount_paisa=entry.amount_paisa,
        party_id=entry.party_id,
    )
