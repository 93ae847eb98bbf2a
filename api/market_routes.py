"""The routes of the marketplace; served where its jobs are registered."""

from api.parameters import QueryParameter
from api.resources import market, whatsapp
from api.route import Route
from api.schemas import market as schemas

ORDER = "/api/v1/orders/{orderId}"
WEBHOOK = "/api/v1/webhooks/whatsapp"
TAG = "marketplace"
WEBHOOK_BYTES = 4 * 1024 * 1024  # WhatsApp sends up to 3 MB

MODE = QueryParameter(
    name="hub.mode",
    description="What is asked.",
    required=True,
    choices=("subscribe",),
)
TOKEN = QueryParameter(
    name="hub.verify_token",
    description="The token that both sides know.",
    required=True,
    text=255,
)
CHALLENGE = QueryParameter(
    name="hub.challenge", description="What to answer.", required=True, text=255
)

MARKET_ROUTES = (
    Route(
        method="POST",
        path="/api/v1/orders",
        role="operator",
        handler=market.place,
        data=schemas.OrderView,
        tag=TAG,
        body=schemas.PlaceOrder,
        success=(201, 200),
        errors=(404, 409),
        idempotent_by_key=True,
    ),
    Route(
        method="GET",
        path=ORDER,
        role="viewer",
        handler=market.read,
        data=schemas.OrderDetail,
        tag=TAG,
        errors=(404, 409),
    ),
    Route(
        method="POST",
        path=f"{ORDER}/cancel",
        role="operator",
        handler=market.cancel,
        data=schemas.OrderView,
        tag=TAG,
        body=schemas.CancelOrder,
        body_optional=True,
        errors=(404, 409),
    ),
    Route(
        method="POST",
        path=f"{ORDER}/deliver",
        role="operator",
        handler=market.deliver,
        data=schemas.InvoiceView,
        tag=TAG,
        errors=(404, 409),
    ),
    Route(
        method="POST",
        path="/api/v1/rounds/{roundId}/bids",
        role="operator",
        handler=market.submit_bid,
        data=schemas.BidView,
        tag=TAG,
        body=schemas.SubmitBid,
        success=(201, 200),
        errors=(404, 409),
        idempotent_by_key=True,
    ),
    Route(
        method="POST",
        path="/api/v1/confirmations/{confirmationId}/answer",
        role="operator",
        handler=market.answer,
        data=schemas.ConfirmationView,
        tag=TAG,
        body=schemas.AnswerOffer,
        errors=(404, 409),
    ),
    Route(
        method="POST",
        path="/api/v1/payments",
        role="operator",
        handler=market.pay,
        data=schemas.PaymentView,
        tag=TAG,
        body=schemas.TellPayment,
        success=(201, 200, 202),
        errors=(404, 409),
    ),
    Route(
        method="GET",
        path=WEBHOOK,
        role="public",
        handler=whatsapp.verify,
        tag=TAG,
        media_type="text/plain",
        query=(MODE, TOKEN, CHALLENGE),
        errors=(403,),
    ),
    Route(
        method="POST",
        path=WEBHOOK,
        role="public",  # the signature says who it is
        handler=whatsapp.tell,
        data=schemas.WebhookReceived,
        tag=TAG,
        errors=(401,),
        signed=True,
        max_body=WEBHOOK_BYTES,
    ),
)
