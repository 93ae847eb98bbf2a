"""What happens next to a message: decisions that need no database and no network."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.unit.marketplace.rows import NOW, message
from workflows.jobs.whatsapp_message_send import policy
from workflows.jobs.whatsapp_message_send.steps import (
    Defer,
    Done,
    Fail,
    Next,
    Probe,
    Send,
    Situation,
    after_call,
    before_call,
)
from workflows.marketplace.errors import (
    ChannelDownError,
    PermanentError,
    TransientError,
)
from workflows.marketplace.message import (
    Channel,
    JobRun,
    Message,
    MessageStatus,
    Recipient,
    Scope,
)
from workflows.marketplace.pair_limit import PairLimit
from workflows.marketplace.ports import Accepted
from workflows.marketplace.whatsapp_errors import SendFailure

RUN = JobRun(job_id="job_1", started_at=NOW, attempt=1)
SECOND = timedelta(seconds=1)
DOWN = SendFailure(http_status=500, code=131016)
OPEN = Channel(open_since=NOW, probe_at=NOW + 60 * SECOND, code="190")


def situation(at: datetime = NOW, run: JobRun = RUN) -> Situation:
    return Situation(
        now=at,
        run=run,
        recipient=Recipient(key="+9779841000001"),
        channel=Channel(),
        relevant=True,
        parked_before=0,
        pair_limit=PairLimit(),
        ambiguous_check=60 * SECOND,
    )


def sending(attempts: int = 1) -> Message:
    row = replace(message(), attempts=attempts - 1)
    return row.taken_by(RUN).leased(NOW)


def raised(step: Next) -> TransientError | PermanentError:
    assert isinstance(step.verdict, Fail)
    return step.verdict.error


# -- before the call -------------------------------------------------------------------


def test_a_queued_message_is_leased_by_its_job() -> None:
    step = before_call(message(), situation())
    assert step.verdict == Send()
    assert step.message.status is MessageStatus.SENDING
    assert (step.message.job_id, step.message.job_started_at) == ("job_1", NOW)


def test_a_row_that_another_worker_sends_is_not_touched() -> None:
    row = sending()
    step = before_call(row, situation(NOW + 59 * SECOND))
    assert step.message is row
    assert step.verdict == Defer(5 * SECOND, "in_flight")


def test_a_dead_lease_makes_it_ambiguous() -> None:
    step = before_call(sending(), situation(NOW + 60 * SECOND))
    assert step.message.status is MessageStatus.AMBIGUOUS
    assert step.verdict == Defer(60 * SECOND, "ambiguous")


def test_an_ambiguous_message_without_attempts_left_is_dead() -> None:
    row = sending(attempts=3).doubtful(NOW)
    step = before_call(row, situation(NOW + 60 * SECOND))
    assert raised(step).code == "ambiguous"


def test_twenty_deferrals_are_the_end() -> None:
    row = replace(message(), slot_at=NOW + SECOND, deferrals=policy.MAX_DEFERRALS - 1)
    last = before_call(row, situation())
    assert last.verdict == Defer(SECOND, "rate")
    over = before_call(last.message, situation())
    assert raised(over).code == "deferred_too_long"
    assert over.message.status is MessageStatus.FAILED


def test_a_missed_slot_is_taken_anew() -> None:
    row = replace(message(), slot_at=NOW - 6 * SECOND)
    busy = Recipient(key="+9779841000001", pair_tat=NOW + 30 * SECOND)
    step = before_call(row, replace(situation(), recipient=busy))
    assert step.verdict == Defer(18 * SECOND, "rate")
    assert step.message.slot_at == NOW + 18 * SECOND


def test_the_oldest_parked_messages_probe_and_the_others_sleep() -> None:
    down = replace(situation(), channel=OPEN)
    early = before_call(message(), down)
    assert early.verdict == Defer(60 * SECOND, "parked")
    due = replace(down, now=NOW + 60 * SECOND)
    probing = before_call(message(), due)
    assert probing.verdict == Probe()
    assert probing.channel == replace(OPEN, probe_at=NOW + 120 * SECOND)
    crowd = before_call(message(), replace(due, parked_before=policy.PROBERS))
    assert crowd.verdict == Defer(policy.PARKED_DELAY, "parked")


def test_parking_is_not_counted_as_a_deferral() -> None:
    row = replace(message(), deferrals=policy.MAX_DEFERRALS)
    step = before_call(row, replace(situation(), channel=OPEN))
    assert step.message.status is MessageStatus.PARKED
    assert step.message.deferrals == policy.MAX_DEFERRALS


def test_what_is_worthless_is_dropped_even_while_the_account_is_down() -> None:
    row = replace(message(), not_after=NOW)
    step = before_call(row, replace(situation(), channel=OPEN))
    assert step.message.status is MessageStatus.EXPIRED


def test_another_job_leaves_a_failed_message_alone() -> None:
    row = message().taken_by(RUN).failed("100", "", NOW)
    other = replace(RUN, job_id="job_2")
    step = before_call(row, situation(run=other))
    assert step == Next(row, Done("noop:failed"))


@pytest.mark.parametrize("scope", list(Scope))
def test_a_redelivered_failure_fails_again_without_a_call(scope: Scope) -> None:
    row = message().taken_by(RUN).failed("190", "revoked", NOW, scope)
    error = raised(before_call(row, situation(NOW + 90 * SECOND)))
    assert error.code == "190"
    assert isinstance(error, ChannelDownError) == (scope is Scope.CHANNEL)


def test_a_retried_dead_letter_begins_with_no_attempts() -> None:
    row = replace(message(), attempts=3, deferrals=7).taken_by(RUN)
    failed = row.failed("131016", "", NOW)
    again = replace(RUN, started_at=NOW + SECOND)
    step = before_call(failed, situation(NOW + SECOND, again))
    assert step.verdict == Send()
    assert (step.message.attempts, step.message.deferrals) == (1, 0)


# -- after the call --------------------------------------------------------------------


def test_an_accepted_message_is_done() -> None:
    step = after_call(sending(), Accepted("wamid.1", "paused"), situation())
    assert step.verdict == Done("done")
    assert (step.message.wamid, step.message.pacing) == ("wamid.1", "paused")


def test_the_longest_wait_is_the_floor() -> None:
    asked = replace(DOWN, code=131056, wait=90 * SECOND)
    error = raised(after_call(sending(), asked, situation()))
    assert isinstance(error, TransientError)
    assert error.floor == 90 * SECOND


def test_the_queue_buries_what_failed_in_its_last_attempt() -> None:
    last = situation(run=replace(RUN, attempt=3))
    step = after_call(sending(attempts=3), DOWN, last)
    assert isinstance(raised(step), TransientError)
    assert step.message.status is MessageStatus.FAILED


def test_calls_that_were_no_attempts_of_the_job_count_all_the_same() -> None:
    step = after_call(sending(attempts=3), DOWN, situation())
    assert isinstance(raised(step), PermanentError)


def test_the_account_that_failed_first_opens_the_circuit() -> None:
    revoked = SendFailure(http_status=401, code=190)
    step = after_call(sending(), revoked, situation())
    assert isinstance(raised(step), ChannelDownError)
    assert step.channel == OPEN
    later = replace(situation(NOW + SECOND), channel=OPEN)
    assert after_call(sending(), revoked, later).channel == OPEN


@pytest.mark.parametrize("code", [368, 131031, 131048])
def test_a_restriction_is_not_probed(code: int) -> None:
    failure = SendFailure(http_status=400, code=code)
    channel = after_call(sending(), failure, situation()).channel
    assert channel is not None
    assert channel.open
    assert channel.probe_at is None


def test_the_last_attempt_does_not_switch_to_the_template() -> None:
    shut = SendFailure(http_status=400, code=131047)
    assert raised(after_call(sending(3), shut, situation())).code == "131047"
