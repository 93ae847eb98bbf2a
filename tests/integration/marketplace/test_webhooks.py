"""What WhatsApp tells: over WSGI, on real tables and queues."""

import threading
from typing import Any

import pytest

from tests.integration.marketplace import story
from tests.integration.marketplace.caller import HOOK, OLD_SECRET, Caller, awarded
from workflows.engine.states import JobState
from workflows.marketplace.message import Message, MessageStatus
from workflows.marketplace.rules.tokens import button_token
from workflows.marketplace.terms import Terms
from workflows.marketplace.webhook import is_genuine

LARGEST = 4 * 1024 * 1024

# -- who may tell ---------------------------------------------------------------------


def test_the_handshake_needs_the_token(api: Caller) -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444"}
    right = api.http.simulate_get(
        HOOK, params={**asked, "hub.verify_token": "shared-token"}
    )
    assert (right.status_code, right.text) == (200, "1158201444")
    wrong = api.http.simulate_get(HOOK, params={**asked, "hub.verify_token": "x"})
    assert (wrong.status_code, wrong.json["code"]) == (403, "not_authentic")
    assert api.http.simulate_get(HOOK, params=asked).status_code == 400


def test_only_signed_webhooks_are_read(api: Caller) -> None:
    assert api.tell().status_code == 200
    assert api.tell(secret=OLD_SECRET).status_code == 200
    refused = api.tell(secret=b"guess", raw=b"not JSON")
    assert (refused.status_code, refused.json["code"]) == (401, "bad_signature")
    unsigned = api.http.simulate_post(HOOK, json={})
    assert unsigned.status_code == 401
    assert api.tell(raw=b"not JSON").status_code == 400


def test_wa_11_the_bytes_are_signed_not_what_they_mean(api: Caller) -> None:
    raw = rb'{"entry":[],"note":"\u0928\u092e"}'
    signature = Caller.signature(raw)
    changed = raw.replace(b"entry", b"entri")
    codes = [api.send(raw, "0" * 64), api.send(changed, signature)]
    assert [*codes, api.send(raw, signature)] == [401, 401, 200]
    assert is_genuine(
        b'{"object":"whatsapp_business_account","entry":[]}',
        "sha256=14b167ff6f0cdcc31cf9a290be29fb4970469b407baae13a48f4b99eb01e7b61",
        [b"stub-app-secret"],
    )


def test_without_a_secret_nothing_is_taken(api: Caller) -> None:
    api.app_secrets = ()
    refused = api.tell()
    assert (refused.status_code, refused.json["code"]) == (503, "not_configured")


def test_a_webhook_may_have_4_mib_whatever_others_may(api: Caller) -> None:
    assert api.tell(raw=b"{}" + b" " * (LARGEST - 2)).status_code == 200
    assert api.tell(raw=b"{}" + b" " * (LARGEST - 1)).status_code == 413


# -- statuses -------------------------------------------------------------------------


def test_statuses_may_come_twice_and_in_any_order(api: Caller) -> None:
    story.place(api.shop)
    api.shop.run_for(0)
    key = f"order_received:{story.ORDER}"
    message = api.shop.message_with(key)
    status = {"id": message.wamid, "timestamp": api.seconds()}
    for name in ("read", "sent", "delivered", "read"):
        told = api.tell(statuses=[{**status, "status": name}])
        assert told.json["data"] == {"applied": 1, "ignored": 0}
    assert api.shop.message_with(key).status is MessageStatus.READ


def test_a_status_told_twice_at_once_has_one_effect(api: Caller) -> None:
    message = an_offer(api)
    failed = status_of(api, message, "failed", code=131026)
    barrier = threading.Barrier(2)

    def tell() -> None:
        barrier.wait()
        told.append(api.tell(statuses=[failed]).status_code)

    told: list[int] = []
    threads = [threading.Thread(target=tell) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [200, 200]
    api.shop.run_for(5)
    assert [one.supplier_id for one in story.all_offers(api.shop)] == ["sup_C", "sup_B"]
    assert len(dead_letters(api)) == 1


# -- failures that are told late ------------------------------------------------------


def an_offer(api: Caller) -> Message:
    """Bring the order of F0 to an offer to C that WhatsApp took; return its message."""
    offer = awarded(api)
    return api.shop.message_with(f"confirm:{offer}")


def status_of(
    api: Caller, message: Message, name: str, *, code: int | None = None
) -> dict[str, Any]:
    errors = [] if code is None else [{"code": code, "title": "stub"}]
    return {
        "id": message.wamid,
        "status": name,
        "timestamp": api.seconds(),
        "errors": errors,
        "biz_opaque_callback_data": message.id,
    }


def fail(api: Caller, message: Message, code: int | None) -> None:
    told = api.tell(statuses=[status_of(api, message, "failed", code=code)])
    assert told.json["data"] == {"applied": 1, "ignored": 0}


def dead_letters(api: Caller) -> list[str]:
    page = api.shop.store.list_jobs("whatsapp-message-send", JobState.FAILED)
    return [job.failure.decode() for job in page.jobs]


def again(api: Caller, message: Message) -> Message:
    return api.shop.message_with(message.dedupe_key)


def test_a_passing_failure_has_the_message_sent_again_three_times_in_all(
    api: Caller,
) -> None:
    message = an_offer(api)
    for wait, calls in ((1, 2), (3, 3)):
        fail(api, message, 131000)
        api.shop.run_for(wait)
        assert again(api, message).status is MessageStatus.QUEUED
        api.shop.run_for(1)
        message = again(api, message)
        assert (message.status, message.attempts) == (MessageStatus.ACCEPTED, calls)
    fail(api, message, 131000)
    api.shop.run_for(60)
    assert again(api, message).status is MessageStatus.FAILED
    assert ["131000" in one for one in dead_letters(api)] == [True]
    assert story.the_offer(api.shop).supplier_id == "sup_B"


def test_what_is_told_late_of_a_call_that_failed_is_no_news(api: Caller) -> None:
    first = an_offer(api)
    fail(api, first, 131000)
    for name in ("sent", "failed"):
        api.tell(statuses=[status_of(api, first, name, code=131000)])
    assert again(api, first).status is MessageStatus.QUEUED
    api.shop.run_for(5)
    second = again(api, first)
    assert (second.status, second.attempts) == (MessageStatus.ACCEPTED, 2)
    assert second.wamid != first.wamid
    api.tell(statuses=[status_of(api, first, "failed", code=131026)])
    assert again(api, first).status is MessageStatus.ACCEPTED
    api.tell(statuses=[status_of(api, first, "delivered")])
    assert again(api, first).status is MessageStatus.DELIVERED


def test_a_delivery_told_before_it_is_sent_again_saves_the_call(api: Caller) -> None:
    message = an_offer(api)
    fail(api, message, 131000)
    api.tell(statuses=[status_of(api, message, "delivered")])
    api.shop.run_for(60)
    after = again(api, message)
    assert (after.status, after.attempts) == (MessageStatus.DELIVERED, 1)


@pytest.mark.parametrize("code", [131049, 999_999, None])
def test_a_permanent_failure_is_a_dead_letter_and_the_next_supplier_is_asked(
    api: Caller, code: int | None
) -> None:
    message = an_offer(api)
    fail(api, message, code)
    api.shop.run_for(5)
    assert again(api, message).status is MessageStatus.FAILED
    assert len(dead_letters(api)) == 1
    offers = [one.supplier_id for one in story.all_offers(api.shop)]
    assert offers == ["sup_C", "sup_B"]
    assert story.strikes(api.shop, "C") == 0


def test_a_recipient_who_is_not_on_whatsapp_is_left_alone_until_he_writes(
    api: Caller,
) -> None:
    message = an_offer(api)
    fail(api, message, 131026)
    key = message.recipient_key
    with api.shop.storage.begin() as work:
        assert work.recipients.get(key).unwanted(api.shop.now())
    wrote = {"id": "wamid.y", "from": key[1:], "timestamp": api.seconds()}
    api.tell(messages=[wrote])
    with api.shop.storage.begin() as work:
        assert not work.recipients.get(key).unwanted(api.shop.now())


def test_a_failure_of_the_account_opens_the_circuit_and_is_sent_when_it_closes(
    api: Caller,
) -> None:
    message = an_offer(api)
    fail(api, message, 190)
    with api.shop.storage.begin() as work:
        assert work.channel.get().open
    api.shop.run_for(1)
    assert again(api, message).status is MessageStatus.FAILED
    parked = api.shop.say()
    api.shop.run_for(1)
    assert api.shop.message_of(parked).status is MessageStatus.PARKED
    api.shop.run_for(61)  # the probe finds it working
    assert api.shop.message_of(parked).status is MessageStatus.ACCEPTED
    assert again(api, message).status is MessageStatus.ACCEPTED
    assert [one.supplier_id for one in story.all_offers(api.shop)] == ["sup_C"]


def test_a_late_dead_letter_asks_again_whether_it_still_holds(api: Caller) -> None:
    message = an_offer(api)
    fail(api, message, 131049)
    api.shop.run_for(1)
    job_id = again(api, message).job_id
    assert job_id is not None
    api.shop.retry_dead(job_id)
    api.shop.run_for(0)
    # He has been passed over by then, so there is nothing to tell him any more.
    assert again(api, message).status is MessageStatus.SUPPRESSED


# -- messages -------------------------------------------------------------------------


@pytest.mark.parametrize("sender", ["97714412345", "x", "", "0" * 300, "+-1", None, 7])
def test_a_sender_that_is_no_mobile_number_becomes_a_task(
    api: Caller, sender: object
) -> None:
    wrote = {"id": "wamid.y", "from": sender, "timestamp": api.seconds()}
    wrote |= {"text": {"body": "BID 40,200"}}
    for _ in range(2):
        assert api.tell(messages=[wrote]).status_code == 200
    assert [task.subject for task in story.tasks(api.shop)] == ["whatsapp"]


@pytest.mark.parametrize("word", ["STOP", " stop\n", "बन्द"])
def test_who_says_stop_gets_nothing_until_he_says_start(api: Caller, word: str) -> None:
    wrote = {"id": "wamid.y", "from": "9779841000001", "timestamp": api.seconds()}
    for text, unwanted in ((word, True), ("thanks", True), ("Start", False)):
        api.tell(messages=[wrote | {"text": {"body": text}}])
        with api.shop.storage.begin() as work:
            known = work.recipients.get("+9779841000001")
        assert known.unwanted(api.shop.now()) is unwanted


def test_what_is_unknown_or_malformed_costs_nothing_beside_it(api: Caller) -> None:
    status = {"id": "wamid.x", "timestamp": "1", "status": "read"}
    wrote = {"id": "wamid.y", "from": "9779841000001", "timestamp": api.seconds()}
    told = api.tell(
        statuses=[status, {}, None, {**status, "timestamp": "soon"}, {"status": "?"}],
        messages=[{**wrote, "type": "image"}, {"from": "x"}, {"id": "a b"}],
    )
    assert told.status_code == 200
    assert told.json["data"] == {"applied": 1, "ignored": 7}
    with api.shop.storage.begin() as work:
        heard = work.recipients.get("+9779841000001").last_inbound_at
    assert heard == api.shop.now()
    for raw in (b"[]", b"1", b'{"entry": [[]]}', b'{"entry": 1}'):
        assert api.tell(raw=raw).status_code == 200


def test_a_typed_bid_counts_once(api: Caller) -> None:
    story.place(api.shop)
    story.pay(api.shop)
    story.go(api.shop, "10:05")
    wrote = {
        "id": "wamid.bid",
        "from": "9779842000003",
        "timestamp": api.seconds(),
        "text": {"body": "BID 40,200 2h"},
    }
    for _ in range(2):
        assert api.tell(messages=[wrote]).json["data"]["applied"] == 1
    with api.shop.storage.begin() as work:
        bids = work.bids.where()
    assert [(b.supplier_id, b.amount_paisa) for b in bids] == [("sup_A", 4_020_000)]


def test_a_bid_that_fits_no_round_is_asked_about_once(api: Caller) -> None:
    wrote = {
        "id": "wamid.bid",
        "from": "9779842000003",
        "timestamp": api.seconds(),
        "text": {"body": "BID 40,200"},
    }
    api.tell(messages=[wrote, wrote])
    assert [task.subject for task in story.tasks(api.shop)] == ["supplier:sup_A"]


@pytest.mark.parametrize("genuine", [True, False], ids=["genuine", "forged"])
def test_a_button_answers_an_offer_if_its_token_fits(
    api: Caller, *, genuine: bool
) -> None:
    offer = awarded(api)
    token = button_token(Terms().token_secret, "c", offer, "sup_C")
    token = token if genuine else "000000"
    pressed = {
        "id": "wamid.yes",
        "from": "9779842000005",
        "timestamp": api.seconds(),
        "button": {"payload": f"c:{offer}:y:{token}"},
    }
    for _ in range(2):
        assert api.tell(messages=[pressed]).json["data"]["applied"] == int(genuine)
    found = story.the_offer(api.shop)
    assert found.status == ("confirmed" if genuine else "pending")
