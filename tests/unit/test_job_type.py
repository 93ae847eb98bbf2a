"""What is declared once about every job of a kind, and the job made of it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator

from workflows.engine.payload import DEFAULT_MAX_BYTES
from workflows.engine.retry import retry_rule
from workflows.exceptions import InvalidArgumentError, PayloadError
from workflows.job_type import (
    KEEP_ALL,
    KEEP_COMPLETED,
    JobType,
    milliseconds,
    new_job,
)
from workflows.store import NewJob, QueueLimits

pytestmark = pytest.mark.unit


class Line(BaseModel):
    sku: str
    count: int = Field(gt=0)


class Order(BaseModel):
    model_config = ConfigDict(populate_by_name=True, extra="forbid")
    order_id: str = Field(alias="orderId", min_length=1)
    price: Decimal = Decimal(0)
    note: str | None = None
    retries: int | None = 3
    lines: list[Line] = []
    extra_data: Any = Field(default=None, alias="extraData")

    @field_validator("note")
    @classmethod
    def no_shouting(cls, value: str | None) -> str | None:
        if value is not None and value.isupper():
            raise ValueError("do not shout")
        return value


def job_type(model: type[BaseModel] | None = Order, **changes: Any) -> JobType:
    options: dict[str, Any] = {
        "name": "order-expiry",
        "queue": "orders",
        "payload": model,
        "retry": retry_rule(None),
    }
    return JobType(**options | changes)


ORDERS = job_type()


# -- payloads --------------------------------------------------------------------------


def test_a_payload_may_be_fields_or_a_model() -> None:
    fields = ORDERS.encode({"orderId": "o1", "price": "1.50"})
    assert ORDERS.encode(Order(order_id="o1", price=Decimal("1.50"))) == fields
    assert ORDERS.decode(fields) == Order(order_id="o1", price=Decimal("1.50"))


def test_fields_that_nobody_set_are_left_out() -> None:
    data = ORDERS.encode({"orderId": "o1"})
    assert data == b'{"orderId":"o1","price":"0","retries":3,"lines":[]}'


def test_a_null_that_means_something_is_kept() -> None:
    data = ORDERS.encode({"orderId": "o1", "retries": None})
    assert ORDERS.decode(data) == Order(order_id="o1", retries=None)


def test_a_null_that_is_required_is_kept() -> None:
    class Answer(BaseModel):
        value: int | None

    answers = job_type(Answer)
    assert answers.decode(answers.encode({"value": None})) == Answer(value=None)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("ab"), inner),
)


@given(
    st.none() | st.text("ab"),
    st.none() | st.integers(),
    st.lists(st.builds(Line, sku=st.text("ab"), count=st.integers(1)), max_size=3),
    plain,
)
def test_whatever_is_accepted_decodes_to_the_same(
    note: str | None, retries: int | None, lines: list[Line], data: Any
) -> None:
    order = Order(
        order_id="o1", note=note, retries=retries, lines=lines, extra_data=data
    )
    assert ORDERS.decode(ORDERS.encode(order)) == order


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({}, "/orderId"),
        ({"orderId": ""}, "/orderId"),
        ({"orderId": 5}, "/orderId"),
        ({"orderId": "o", "price": "hunter2"}, "/price"),
        ({"orderId": "o", "note": "HUNTER2"}, "/note"),
        ({"orderId": "o", "hunter/2": 1}, "/hunter~12"),
        ({"orderId": "o", "lines": [{"sku": "a", "count": 0}]}, "/lines/0/count"),
        (
            {"orderId": "o", "lines": [{"sku": "a", "count": "hunter2"}]},
            "/lines/0/count",
        ),
        ({"orderId": "o", "extraData": {"a": float("nan")}}, ""),
        ({"orderId": "o", "extraData": {"a": "\ud800"}}, "/extraData/a"),
        ({"orderId": "o", "extraData": object()}, ""),
        ({"orderId": "o", "extraData": 10**5000}, "/extraData"),
        ("hunter2", ""),
        (None, ""),
        ([], ""),
    ],
)
def test_a_wrong_payload_is_refused_with_the_path_and_without_the_value(
    payload: Any, path: str
) -> None:
    with pytest.raises(PayloadError) as raised:
        ORDERS.encode(payload)
    assert raised.value.path == path
    assert "hunter2" not in str(raised.value).lower()


def test_a_payload_over_the_limits_is_refused() -> None:
    with pytest.raises(PayloadError, match="larger"):
        ORDERS.encode({"orderId": "x" * DEFAULT_MAX_BYTES})
    deep: Any = 1
    for _ in range(64):
        deep = [deep]
    with pytest.raises(PayloadError, match="deeper"):
        ORDERS.encode({"orderId": "o", "extraData": deep})


def test_a_model_made_without_validation_is_refused_when_it_is_enqueued() -> None:
    with pytest.raises(PayloadError):
        ORDERS.encode(Order.model_construct(order_id="", lines=[]))


def test_a_model_that_cannot_read_what_it_writes_is_refused() -> None:
    class OneWay(BaseModel):
        value: int = Field(serialization_alias="wert")

    with pytest.raises(PayloadError) as raised:
        job_type(OneWay).encode({"value": 1})
    assert raised.value.path == "/value"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"orderId":1}', b"\xff"])
def test_stored_bytes_that_are_no_payload_are_refused(data: bytes) -> None:
    with pytest.raises(PayloadError):
        ORDERS.decode(data)


def test_a_plain_huey_task_has_no_payload_of_its_own() -> None:
    task = job_type(None)
    with pytest.raises(InvalidArgumentError, match="order-expiry"):
        task.encode({})
    with pytest.raises(InvalidArgumentError, match="order-expiry"):
        task.decode(b"{}")


# -- jobs ------------------------------------------------------------------------------


def test_the_defaults_of_a_type_are_those_of_the_guide() -> None:
    assert ORDERS.priority == 0
    assert ORDERS.timeout is None
    assert ORDERS.expires is None
    assert ORDERS.max_stalls == 3
    assert ORDERS.limits == QueueLimits()
    assert ORDERS.keep_completed is KEEP_COMPLETED
    assert ORDERS.keep_failed is KEEP_ALL  # dead letters are never pruned


def test_a_new_job_takes_the_defaults_of_its_type() -> None:
    kind = job_type(priority=7, expires=timedelta(minutes=5), max_stalls=1)
    assert new_job(kind, b"{}", job_id="j1") == NewJob(
        id="j1",
        queue="orders",
        type="order-expiry",
        payload=b"{}",
        priority=7,
        expires_ms=300_000,
        max_stalls=1,
    )


def test_what_the_call_says_goes_before_the_type() -> None:
    kind = job_type(priority=7, expires=timedelta(minutes=5))
    job = new_job(
        kind,
        b"{}",
        job_id="j1",
        priority=0,
        delay_ms=10,
        expires_ms=20,
        dedup_id="d",
        headers=b"h",
        trace="t",
    )
    assert (job.priority, job.delay_ms, job.expires_ms) == (0, 10, 20)
    assert (job.dedup_id, job.headers, job.trace) == ("d", b"h", "t")
    assert new_job(kind, b"{}", job_id="j2", run_at=5).run_at == 5


@pytest.mark.parametrize(
    ("span", "ms"),
    [
        (timedelta(0), 0),
        (timedelta(microseconds=1), 1),
        (timedelta(milliseconds=1), 1),
        (timedelta(milliseconds=1, microseconds=1), 2),
        (timedelta(days=1), 86_400_000),
    ],
)
def test_spans_are_rounded_up_so_that_nothing_is_early(
    span: timedelta, ms: int
) -> None:
    assert milliseconds(span) == ms
