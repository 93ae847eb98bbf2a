"""The marketplace. Money is integer paisa, before tax unless it says otherwise."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from api.schemas.fields import Body, Json, TimeIn, TimeOut, View

EntityId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,63}$")]
MAX_PAISA = 10**13
MAX_UNITS = 100_000
Paisa = Annotated[int, Field(ge=1, le=MAX_PAISA)]
Ref = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,80}$")]


class OrderLine(Body):
    """One position. `vatBps`: 1300 is 13 %, 0 is exempt."""

    product_id: EntityId = Field(alias="productId")
    quantity: Annotated[int, Field(ge=1, le=MAX_UNITS)]
    unit_price_paisa: Annotated[int, Field(ge=1, le=10**9)] = Field(
        alias="unitPricePaisa"
    )
    vat_bps: Annotated[int, Field(ge=0, le=9999)] = Field(1300, alias="vatBps")


class PlaceOrder(Body):
    """An order. Without `orderId` one is made; the same one is the same order."""

    order_id: EntityId | None = Field(None, alias="orderId")
    customer_id: EntityId = Field(alias="customerId")
    lines: Annotated[list[OrderLine], Field(min_length=1, max_length=100)]
    mode: Literal["bidding", "direct"] = "bidding"
    payment_mode: Literal["prepaid", "credit"] = Field("prepaid", alias="paymentMode")


class CancelOrder(Body):
    """Who cancels. Once a supplier is bound, only `ops` may."""

    by: Literal["customer", "ops"] = "customer"


class SubmitBid(Body):
    """A price for the whole order, sent now."""

    supplier_id: EntityId = Field(alias="supplierId")
    amount_paisa: Paisa = Field(alias="amountPaisa")
    eta_minutes: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        None, alias="etaMinutes"
    )


class AnswerOffer(Body):
    """A supplier's yes or no to what he is offered."""

    supplier_id: EntityId = Field(alias="supplierId")
    accept: bool


class TellPayment(Body):
    """A payment, for an order or of a customer.

    `wallet`: the provider is asked, and what he says counts. `bank` and `cash` are
    taken as told.
    """

    provider: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,15}$")]
    provider_ref: Ref = Field(alias="providerRef")
    amount_paisa: Paisa = Field(alias="amountPaisa")
    method: Literal["wallet", "bank", "cash"] = "wallet"
    order_id: EntityId | None = Field(None, alias="orderId")
    customer_id: EntityId | None = Field(None, alias="customerId")
    paid_at: TimeIn | None = Field(None, alias="paidAt")

    @model_validator(mode="after")
    def _is_for_something(self) -> Self:
        if (self.order_id is None) == (self.customer_id is None):
            msg = "give orderId or customerId, one of them"
            raise ValueError(msg)
        return self


class TimelineEntry(View):
    """One line of an order's history."""

    at: TimeOut
    type: str
    actor: str
    data: dict[str, Json]


class RoundView(View):
    """A bidding window of an order."""

    round_id: str
    status: str
    opens_at: TimeOut
    closes_at: TimeOut


class ConfirmationView(View):
    """One offer of an order to one supplier."""

    confirmation_id: str
    order_id: str
    supplier_id: str
    status: str
    amount_paisa: int
    respond_by: TimeOut
    answered_at: TimeOut | None


class OrderView(View):
    """An order. The totals are with tax."""

    order_id: str
    customer_id: str | None
    status: str
    payment_status: str
    mode: str
    payment_mode: str
    total_paisa: int
    paid_paisa: int
    closed_reason: str | None
    placed_at: TimeOut
    expires_at: TimeOut | None


class OrderDetail(OrderView):
    """An order with its rounds and offers (newest first) and its history."""

    rounds: list[RoundView]
    confirmations: list[ConfirmationView]
    timeline: list[TimelineEntry]


class BidView(View):
    """A bid. One that does not count is `rejected`, with the reason."""

    bid_id: str
    round_id: str
    supplier_id: str
    amount_paisa: int
    status: str
    reject_reason: str | None


class InvoiceView(View):
    """The invoice that a delivery issued. The total is with tax."""

    invoice_id: str
    number: str
    order_id: str
    total_paisa: int
    due_on: str
    status: str


class PaymentView(View):
    """A payment. `failed` ones are not recorded, and have no id."""

    payment_id: str | None
    provider: str
    provider_ref: str
    amount_paisa: int
    status: str
    order_id: str | None


class WebhookReceived(View):
    """How many events were applied, and how many mean nothing to us."""

    applied: int
    ignored: int
