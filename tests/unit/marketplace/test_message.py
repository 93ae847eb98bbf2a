"""A message's row, a recipient and the channel: what follows what."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from tests.unit.marketplace.rows import NOW, message
from workflows.marketplace.message import (
    TAKEN,
    Channel,
    MessageStatus,
    Recipient,
    next_status,
)

SENT, DELIVERED = MessageStatus.SENT, MessageStatus.DELIVERED
READ, FAILED = MessageStatus.READ, MessageStatus.FAILED
ACCEPTED = MessageStatus.ACCEPTED


def orders() -> Iterator[tuple[MessageStatus, ...]]:
    yield from permutations([SENT, DELIVERED, DELIVERED, READ, FAILED])


@pytest.mark.parametrize("order", list(orders())[::7])
def test_wa_10_statuses_in_any_order_end_as_read(
    order: tuple[MessageStatus, ...],
) -> None:
    row = message().accepted("wamid.1", None, NOW)
    for status in order:
        row = row.reported(status, "wamid.1", NOW)
    assert row.status is READ


def test_a_delivery_beats_an_earlier_failure_but_not_the_reverse() -> None:
    assert next_status(FAILED, DELIVERED) is DELIVERED
    assert next_status(DELIVERED, FAILED) is DELIVERED
    assert next_status(SENT, FAILED) is FAILED


@pytest.mark.parametrize("status", sorted(TAKEN))
def test_any_report_resolves_an_ambiguous_send(status: MessageStatus) -> None:
    row = message().leased(NOW).doubtful(NOW).reported(status, "wamid.1", NOW)
    assert (row.status, row.wamid) == (status, "wamid.1")


def test_a_report_that_says_nothing_new_changes_nothing() -> None:
    row = message().accepted("wamid.1", None, NOW).reported(READ, "wamid.1", NOW)
    assert row.reported(SENT, "wamid.1", NOW + timedelta(hours=1)) is row


def test_an_answer_that_comes_after_its_webhook_keeps_the_later_status() -> None:
    row = message().leased(NOW).reported(DELIVERED, "wamid.1", NOW)
    assert row.accepted("wamid.1", "accepted", NOW).status is DELIVERED


def test_a_failed_report_names_its_code() -> None:
    row = message().accepted("wamid.1", None, NOW)
    failed = row.reported(FAILED, "wamid.1", NOW, "131026")
    assert (failed.error_code, failed.failed_at) == ("131026", NOW)


def test_a_message_that_went_out_after_all_has_no_error() -> None:
    again = message().leased(NOW).requeued("131016", "try again").leased(NOW)
    sent = again.reported(SENT, "wamid.1", NOW)
    assert (sent.error_code, sent.error_detail) == (None, None)


def test_a_lease_counts_an_attempt_and_ends() -> None:
    leased = message().leased(NOW)
    assert (leased.status, leased.attempts) == (MessageStatus.SENDING, 1)
    assert leased.lease_until == NOW + timedelta(seconds=60)


def test_the_recipient_is_known_by_phone_first() -> None:
    both = replace(message(), to_bsuid="NP.1")
    assert both.recipient_key == both.to_phone
    assert replace(both, to_phone=None).recipient_key == "NP.1"


def test_the_window_shuts_a_minute_early() -> None:
    heard = datetime(2026, 11, 23, 4, 15, tzinfo=UTC)
    user = Recipient(key="+9779841000001").heard(heard)
    shuts = heard + timedelta(hours=24) - timedelta(seconds=60)
    assert user.window_open(shuts - timedelta(microseconds=1))
    assert not user.window_open(shuts)


def test_a_user_never_heard_of_is_left_to_whatsapp() -> None:
    assert Recipient(key="+9779841000001").window_open(NOW)


def test_an_inbound_message_ends_a_suppression_but_not_an_opt_out() -> None:
    user = Recipient(key="x", suppressed_until=NOW + timedelta(days=1), opted_out=False)
    assert user.unwanted(NOW)
    assert not user.heard(NOW).unwanted(NOW)
    assert replace(user, opted_out=True).heard(NOW).unwanted(NOW)


def test_an_older_inbound_message_does_not_turn_back_the_window() -> None:
    user = Recipient(key="x").heard(NOW).heard(NOW - timedelta(hours=2))
    assert user.last_inbound_at == NOW


def test_the_first_opening_of_the_circuit_stands() -> None:
    first = Channel().opened("190", NOW)
    assert first.opened("368", NOW + timedelta(seconds=5), probe=False) == first
