"""Whatever is sent to the marketplace's routes: an answer, and never a 500."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.marketplace import story
from tests.integration.marketplace.caller import MONEY, ORDER, Caller

TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["cus_1", "sup_A", "ord_1001", "\0", "9" * 400, "esewa", "नमस्ते"]),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**63, 10**30, 1.5, 1e300]),
    TEXTS,
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
    ),
    max_leaves=8,
)
SPOILED = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def spoiled(body: dict[str, Any]) -> st.SearchStrategy[Any]:
    """A good body with some of its fields replaced, or anything at all."""
    fields = st.dictionaries(st.sampled_from([*body, "more"]), ANYTHING, max_size=2)
    return fields.map(lambda changed: body | changed) | ANYTHING


BID = {"supplierId": "sup_A", "amountPaisa": 4_000_000, "etaMinutes": 5}
YES = {"supplierId": "sup_C", "accept": True}
BODIES = st.one_of(
    st.tuples(st.just("orders"), spoiled(ORDER)),
    st.tuples(st.just("orders/ord_1001/cancel"), spoiled({"by": "customer"})),
    st.tuples(st.just("orders/ord_1001/deliver"), spoiled({})),
    st.tuples(st.just("rounds/{round}/bids"), spoiled(BID)),
    st.tuples(st.just("confirmations/none/answer"), spoiled(YES)),
    st.tuples(st.just("payments"), spoiled(MONEY)),
    st.tuples(st.just("payments"), spoiled({**MONEY, "method": "cash"})),
)
STATUS = {
    "id": "wamid.1",
    "status": "failed",
    "timestamp": "1763957700",
    "biz_opaque_callback_data": "msg_1",
    "errors": [{"code": 131026, "title": "x", "error_data": {"details": "y"}}],
}
WROTE = {
    "id": "wamid.2",
    "from": "9779842000003",
    "from_user_id": "NP.1349",
    "timestamp": "1763957700",
    "text": {"body": "BID 40,200"},
    "button": {"payload": "c:cnf_1:y:000000"},
    "interactive": {"button_reply": {"id": "b"}},
}


@SPOILED
@given(sent=BODIES, key=st.none() | st.text(max_size=4))
def test_no_body_of_a_route_is_a_fault_of_ours(
    api: Caller, sent: tuple[str, Any], key: str | None
) -> None:
    with api.shop.storage.begin() as work:
        known = work.orders.get(story.ORDER)
    if known is None:
        story.place(api.shop)
        story.pay(api.shop)
    path, body = sent
    headers = {} if key is None or not key.isascii() else {"Idempotency-Key": key}
    answer = api.post(path.format(round=story.the_round(api.shop).id), body, **headers)
    assert answer.status_code in {200, 201, 202, 400, 404, 409, 422}, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json["success"] is False


@SPOILED
@given(
    statuses=st.lists(spoiled(STATUS), max_size=2) | ANYTHING,
    messages=st.lists(spoiled(WROTE), max_size=2) | ANYTHING,
)
def test_no_webhook_is_a_fault_of_ours(
    api: Caller, statuses: Any, messages: Any
) -> None:
    told = api.tell(statuses=statuses, messages=messages)
    assert told.status_code in {200, 400}, told.text


DEEP = b'{"a":' * 70 + b"1" + b"}" * 70


@pytest.mark.parametrize("raw", [rb'{"entry":"\ud800"}', DEEP, b"\xff", b'{"a":NaN}'])
def test_what_is_no_good_json_is_a_400(api: Caller, raw: bytes) -> None:
    assert api.tell(raw=raw).status_code == 400


@pytest.mark.parametrize("id", ["a b", "x" * 256, "%00", "é", "..", "-"])
def test_an_id_that_cannot_be_is_refused_or_not_found(api: Caller, id: str) -> None:
    answers = [
        api.get(f"orders/{id}"),
        api.post(f"orders/{id}/cancel"),
        api.post(f"rounds/{id}/bids", BID),
        api.post(f"confirmations/{id}/answer", YES),
    ]
    assert {answer.status_code for answer in answers} <= {400, 404}
