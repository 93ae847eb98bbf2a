"""WhatsApp's webhook: the handshake, and what it tells."""

import hmac

from api.body import decode_json
from api.call import Call, RawReply, Reply
from api.problems import Code, Problem
from api.schemas import market as schemas
from workflows.exceptions import StoreUnavailableError
from workflows.marketplace.errors import TransientError
from workflows.marketplace.replies import ACTOR, count_bad_signatures, receive
from workflows.marketplace.webhook import is_genuine, read_events

LATER = {"Retry-After": "60"}
CHALLENGE = {"WWW-Authenticate": "X-Hub-Signature-256"}  # RFC 9110 has a 401 say one


def verify(call: Call) -> RawReply:
    """Answer the handshake by which WhatsApp learns of the webhook."""
    expected, said = call.market.verify_token, call.query["hub.verify_token"]
    if not expected or not hmac.compare_digest(expected.encode(), said.encode()):
        msg = "hub.verify_token is not WHATSAPP_VERIFY_TOKEN."
        raise Problem(Code.NOT_AUTHENTIC, msg)
    return RawReply(
        content_type="text/plain", content=call.query["hub.challenge"].encode()
    )


def tell(call: Call) -> Reply:
    """Take a signed webhook; what is known already changes nothing."""
    secrets = call.market.app_secrets
    if not secrets:
        msg = "WHATSAPP_APP_SECRET is not set; nothing was taken."
        raise Problem(Code.NOT_CONFIGURED, msg, headers=LATER)
    if not is_genuine(call.raw, call.signature, secrets):
        _count_refused(call)
        msg = "X-Hub-Signature-256 does not fit the body and WHATSAPP_APP_SECRET."
        raise Problem(Code.BAD_SIGNATURE, msg, headers=CHALLENGE)
    try:
        done = receive(call.market.run, read_events(decode_json(call.raw)))
    except TransientError as error:
        raise StoreUnavailableError(str(error)) from error  # it is sent again
    view = schemas.WebhookReceived(applied=done.applied, ignored=done.ignored)
    return Reply(data=view)


def _count_refused(call: Call) -> None:
    number = call.market.refused.one_more()
    if number:
        call.market.run.run(ACTOR, count_bad_signatures, number)
