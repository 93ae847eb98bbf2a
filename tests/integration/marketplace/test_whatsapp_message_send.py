"""The acceptance scenarios of `whatsapp-message-send`, against the stub."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from tests.integration.marketplace.shop import PHONE, START, Shop
from tests.integration.marketplace.stub import TOKEN, StubProcess
from workflows.engine.states import DeadReason, JobState
from workflows.jobs.whatsapp_message_send.payload import WhatsAppMessageSend
from workflows.marketplace.content import TemplateContent
from workflows.marketplace.inbound import apply_status, record_inbound
from workflows.marketplace.message import JobRun, Message, MessageStatus
from workflows.marketplace.ports import Accepted, MessageTransport
from workflows.marketplace.transports.graph import GraphTransport
from workflows.marketplace.webhook import StatusEvent
from workflows.marketplace.whatsapp_errors import SendFailure
from workflows.store import Claim, QueueClaim

SEED = {"phoneNumber": "+9779800000000", "message": "Hello!"}
TEMPLATE = {"type": "template", "name": "order_note_v1", "bodyParams": ["ORD-1001"]}


def call_times(shop: Shop, stub: StubProcess) -> list[float]:
    return [shop.seconds(call["at"]) for call in stub.calls()]


def failure(shop: Shop, job_id: str) -> str:
    record = shop.job(job_id)
    assert record.state is JobState.FAILED
    return record.failure.decode()


# -- retries ---------------------------------------------------------------------------


def test_wa_1_two_failures_then_success(shop: Shop, stub: StubProcess) -> None:
    stub.script(status=500, code=131000, times=2)
    job = shop.send(SEED)
    shop.run_for(60)
    assert call_times(shop, stub) == [0, 2, 6]
    assert shop.result(job) == {
        "outcome": "done",
        "messageId": shop.message_of(job).id,
        "wamid": "wamid.STUB1",
        "status": "accepted",
        "attempts": 3,
        "pacing": None,
    }
    assert shop.job(job).attempts_made == 3


def test_wa_2_three_failures_are_a_dead_letter(shop: Shop, stub: StubProcess) -> None:
    stub.script(status=500, code=131016, times=None)
    job = shop.send(SEED)
    shop.run_for(60)
    assert call_times(shop, stub) == [0, 2, 6]
    assert "131016" in failure(shop, job)
    record = shop.job(job)
    assert (record.reason, record.attempts_made) == (DeadReason.EXHAUSTED, 3)
    assert record.finished_at is not None
    assert shop.seconds(record.finished_at) == 6
    row = shop.message_of(job)
    assert (row.status, row.error_code) == (MessageStatus.FAILED, "131016")


@pytest.mark.parametrize("status", [400, 429])
def test_wa_5_the_pair_rate_has_a_floor_of_six_seconds(
    shop: Shop, stub: StubProcess, status: int
) -> None:
    stub.script(status=status, code=131056, times=2)
    job = shop.send(SEED)
    shop.run_for(60)
    assert call_times(shop, stub) == [0, 6, 12]
    assert shop.message_of(job).status is MessageStatus.ACCEPTED


@pytest.mark.parametrize("code", [4, 80007])
def test_wa_14_an_announced_wait_is_minutes(
    shop: Shop, stub: StubProcess, code: int
) -> None:
    usage = '{"1": [{"estimated_time_to_regain_access": 7}]}'
    stub.script(status=400, code=code, headers={"X-Business-Use-Case-Usage": usage})
    shop.send(SEED)
    shop.run_for(1000)
    assert call_times(shop, stub) == [0, 420]


def test_retry_after_is_honoured(shop: Shop, stub: StubProcess) -> None:
    stub.script(status=429, code=130429, headers={"Retry-After": "33"})
    shop.send(SEED)
    shop.run_for(60)
    assert call_times(shop, stub) == [0, 33]


def test_an_unreachable_api_is_retried(shop: Shop, stub: StubProcess) -> None:
    nowhere = stub.settings().model_copy(
        update={"whatsapp_graph_base_url": "http://127.0.0.1:9"}
    )
    shop.sender = replace(shop.sender, transport=GraphTransport(nowhere))
    job = shop.send(SEED)
    shop.run_for(60)
    assert shop.message_of(job).error_code == "network"
    assert shop.job(job).attempts_made == 3
    assert stub.calls() == []


@pytest.mark.parametrize("code", [100, 131008, 132015, 999_999])
def test_a_permanent_error_is_dead_at_once(
    shop: Shop, stub: StubProcess, code: int
) -> None:
    stub.script(status=400, code=code)
    job = shop.send(SEED)
    shop.run_for(60)
    assert call_times(shop, stub) == [0]
    assert shop.job(job).reason is DeadReason.NON_RETRYABLE


# -- recipients ------------------------------------------------------------------------


def test_wa_3_a_number_without_whatsapp_is_left_alone(
    shop: Shop, stub: StubProcess
) -> None:
    gone = {"phoneNumber": "+9779800131026", "message": "Hello!"}
    first = shop.send(gone)
    shop.run_for(10)
    assert "131026" in failure(shop, first)
    with shop.storage.begin() as work:
        until = work.recipients.get("+9779800131026").suppressed_until
    assert until is not None
    assert until.date().isoformat() == "2026-12-24"
    second = shop.send(gone)
    shop.run_for(10)
    assert shop.message_of(second).status is MessageStatus.SUPPRESSED
    assert shop.job(second).state is JobState.COMPLETED
    assert len(stub.calls()) == 1
    shop.market.run("webhook", record_inbound, "+9779800131026", shop.now())
    shop.send(gone)
    shop.run_for(10)
    assert len(stub.calls()) == 2


def test_who_opted_out_gets_nothing_more(shop: Shop, stub: StubProcess) -> None:
    shop.send({"phoneNumber": "+9779800131050", "message": "Hello!"})
    shop.run_for(10)
    ask = {"phoneNumber": "+9779800131050", "message": "?"}
    job = shop.send(ask | {"purpose": "confirm_request"})
    shop.run_for(10)
    assert "recipient_unreachable" in failure(shop, job)
    assert len(stub.calls()) == 1


def test_wa_4_five_messages_to_one_number(shop: Shop, stub: StubProcess) -> None:
    stub.configure(pairBurst=3)
    jobs = [shop.say(f"{n}") for n in range(5)]
    shop.run_for(60)
    assert call_times(shop, stub) == [0, 0, 0, 6, 12]
    rows = [shop.message_of(job) for job in jobs]
    assert [row.attempts for row in rows] == [1] * 5
    assert sum(row.deferrals for row in rows) == 2
    assert [shop.job(job).attempts_made for job in jobs] == [1] * 5


def test_hundreds_to_one_number_all_arrive(shop: Shop, stub: StubProcess) -> None:
    jobs = [shop.say(f"{n}") for n in range(60)]
    shop.run_for(6 * 60)
    assert {shop.job(job).state for job in jobs} == {JobState.COMPLETED}
    assert len(stub.messages()) == 60


def test_wa_6_free_form_only_while_the_window_is_open(
    shop: Shop, stub: StubProcess
) -> None:
    heard = START - timedelta(hours=24) + timedelta(minutes=2)
    shop.market.run("webhook", record_inbound, PHONE, heard)
    fallback = {"fallbackTemplate": TEMPLATE}
    shop.run_for(59)
    shop.say("in time", **fallback)
    shop.run_for(1)
    shop.say("too late", **fallback)
    bare = shop.say("too late, and nothing else to say")
    shop.run_for()
    kinds = [message["request"]["type"] for message in stub.messages()]
    assert kinds == ["text", "template"]
    assert "window_closed" in failure(shop, bare)
    assert len(stub.calls()) == 2


def test_a_window_shut_by_whatsapp_falls_back_at_once(
    shop: Shop, stub: StubProcess
) -> None:
    stub.configure(enforceWindow=True)
    job = shop.say(fallbackTemplate=TEMPLATE)
    bare = shop.say()
    shop.run_for(30)
    assert call_times(shop, stub)[:3] == [0, 0, 0]
    row = shop.message_of(job)
    assert (row.status, row.attempts) == (MessageStatus.ACCEPTED, 2)
    assert isinstance(row.content, TemplateContent)
    assert row.pacing == "accepted"
    assert "131047" in failure(shop, bare)


# -- ambiguity -------------------------------------------------------------------------


def cut_after_accepting(shop: Shop, stub: StubProcess, delivery: str) -> str:
    stub.script(drop="accepted")
    job = shop.send(SEED | {"delivery": delivery})
    shop.run_for(8)
    assert shop.message_of(job).status is MessageStatus.AMBIGUOUS
    return job


def test_wa_7_a_webhook_resolves_an_ambiguous_send(
    shop: Shop, stub: StubProcess
) -> None:
    job = cut_after_accepting(shop, stub, "at_least_once")
    [sent] = stub.messages()
    told = StatusEvent(
        message_id=sent["request"]["biz_opaque_callback_data"],
        wamid=sent["wamid"],
        status=MessageStatus.SENT,
        at=shop.now(),
    )
    assert shop.market.run("webhook", apply_status, told)
    row = shop.message_of(job)
    assert (row.status, row.wamid) == (MessageStatus.SENT, sent["wamid"])
    shop.run_for(3600)
    assert shop.result(job)["outcome"] == "noop:already_sent"
    assert len(stub.calls()) == 1


def test_wa_8_at_least_once_sends_again_after_a_minute(
    shop: Shop, stub: StubProcess
) -> None:
    job = cut_after_accepting(shop, stub, "at_least_once")
    shop.run_for(3600)
    assert call_times(shop, stub) == [0, 60]
    assert shop.message_of(job).status is MessageStatus.ACCEPTED


def test_wa_8_at_most_once_gives_up_after_a_quarter_of_an_hour(
    shop: Shop, stub: StubProcess
) -> None:
    job = cut_after_accepting(shop, stub, "at_most_once")
    shop.run_for(3600)
    assert call_times(shop, stub) == [0]
    assert "ambiguous" in failure(shop, job)
    finished = shop.job(job).finished_at
    assert finished is not None
    assert shop.seconds(finished) == 15 * 60


@pytest.mark.parametrize("number", ["+9779800000502", "+9779800000408"])
def test_a_gateway_or_silence_is_ambiguous(
    shop: Shop, stub: StubProcess, number: str
) -> None:
    job = shop.send({"phoneNumber": number, "message": "?"})
    shop.run_for(59)
    assert shop.message_of(job).status is MessageStatus.AMBIGUOUS
    shop.run_for(3600)
    assert call_times(shop, stub) == [0, 60, 120]
    assert "ambiguous" in failure(shop, job)


@dataclass
class OvertakenTransport:
    """The status webhook is faster than the answer, which then gets lost."""

    shop: Shop

    def send(self, message: Message) -> SendFailure:
        told = StatusEvent(
            message_id=message.id,
            wamid="wamid.1",
            status=MessageStatus.DELIVERED,
            at=self.shop.now(),
        )
        self.shop.market.run("webhook", apply_status, told)
        return SendFailure(http_status=500, code=131016)

    def probe(self) -> bool:
        return True


def test_a_failure_that_comes_after_a_webhook_changes_nothing(shop: Shop) -> None:
    shop.sender = replace(shop.sender, transport=OvertakenTransport(shop))
    job = shop.send(SEED)
    shop.run_for(60)
    assert shop.message_of(job).status is MessageStatus.DELIVERED
    assert shop.result(job)["outcome"] == "noop:already_sent"
    assert shop.job(job).attempts_made == 1


# -- the account -----------------------------------------------------------------------


def test_wa_9_a_revoked_token_costs_one_call_and_loses_nothing(
    shop: Shop, stub: StubProcess
) -> None:
    stub.configure(token="another")
    numbers = [f"+97798410001{n:02}" for n in range(40)]
    jobs = []
    for number in numbers:
        jobs.append(shop.send({"phoneNumber": number, "message": "Hi"}))
        shop.run_for(0.001)  # they come one after the other
    rows = [shop.message_of(job) for job in jobs]
    assert len(stub.calls()) == 1
    assert "190" in failure(shop, jobs[0])
    assert [row.status for row in rows[1:]] == [MessageStatus.PARKED] * 39
    stub.configure(token=TOKEN)
    shop.run_until(START + timedelta(seconds=60))
    assert len(stub.calls("probe")) == 1
    assert len(stub.messages()) == 40
    assert {shop.job(job).state for job in jobs} == {JobState.COMPLETED}
    parked = [m["to"] for m in stub.messages() if m["to"] != numbers[0]]
    assert parked == numbers[1:]


def test_a_probe_that_fails_keeps_the_messages_parked(
    shop: Shop, stub: StubProcess
) -> None:
    stub.configure(token="another")
    jobs = [shop.say(), shop.say()]
    shop.run_for(10 * 60)
    assert len(stub.calls()) == 1
    assert len(stub.calls("probe")) == 10
    assert shop.message_of(jobs[1]).status is MessageStatus.PARKED
    assert shop.message_of(jobs[1]).deferrals == 0


def test_a_restricted_account_waits_for_a_person(shop: Shop, stub: StubProcess) -> None:
    stub.script(status=400, code=368)
    shop.say()
    shop.say()
    shop.run_for(30 * 60)
    assert stub.calls("probe") == []
    assert len(stub.calls()) == 1


# -- what need not be sent -------------------------------------------------------------


def test_wa_12_a_message_that_came_too_late_is_not_sent(
    shop: Shop, stub: StubProcess
) -> None:
    deadline = START + timedelta(minutes=10)
    job = shop.say(purpose="bid_invite", notAfter=deadline.isoformat())
    shop.move_to(deadline)
    shop.run_for()
    assert shop.message_of(job).status is MessageStatus.EXPIRED
    assert shop.result(job)["outcome"] == "noop:expired"
    assert stub.calls() == []


def test_a_message_for_later_waits(shop: Shop, stub: StubProcess) -> None:
    later = START + timedelta(hours=1)
    shop.say(notBefore=later.isoformat())
    shop.run_for(2 * 3600)
    assert call_times(shop, stub) == [3600]


def test_the_same_dedupe_key_is_the_same_message(shop: Shop, stub: StubProcess) -> None:
    first = shop.say(dedupeKey="invite:1")
    second = shop.say("again", dedupeKey="invite:1")
    shop.run_for(10)
    assert len(stub.messages()) == 1
    assert shop.result(first)["wamid"] == shop.result(second)["wamid"]
    assert shop.result(second)["outcome"] == "noop:already_sent"


def test_an_unknown_row_is_a_dead_letter(shop: Shop) -> None:
    job = shop.send({"messageId": "msg_nowhere"})
    shop.run_for(10)
    assert "not_found" in failure(shop, job)


def test_a_retried_dead_letter_starts_anew(shop: Shop, stub: StubProcess) -> None:
    stub.script(status=500, code=131016, times=3)
    job = shop.send(SEED)
    shop.run_for(60)
    shop.store.retry_dead(job)
    shop.run_for(60)
    row = shop.message_of(job)
    assert (row.status, row.attempts) == (MessageStatus.ACCEPTED, 1)
    assert len(stub.calls()) == 4


# -- crashes ---------------------------------------------------------------------------


class Killed(BaseException):
    """The process dies here."""


@dataclass
class DyingTransport:
    """Makes the call, then dies before its answer is recorded."""

    inner: MessageTransport

    def send(self, message: Message) -> Accepted:
        self.inner.send(message)
        raise Killed

    def probe(self) -> bool:
        return self.inner.probe()


def die_during_the_call(shop: Shop, payload: dict[str, str]) -> str:
    """Claim the job as a worker would, and die between lease and record."""
    job = shop.send(payload)
    queue = QueueClaim("whatsapp-message-send", ("whatsapp-message-send",), 1)
    claim = Claim(id="dead-worker", owner="dead", queues=(queue,), slots=1)
    [leased] = shop.store.exchange((), claim).jobs
    run = JobRun(job_id=job, started_at=shop.now(), attempt=leased.attempt)
    dying = replace(shop.sender, transport=DyingTransport(shop.transport))
    with pytest.raises(Killed):
        dying.run(WhatsAppMessageSend.model_validate(payload), run)
    return job


def let_the_lease_end(shop: Shop) -> None:
    """Sweep as living workers do, until the dead one's lease (30 s) is over."""
    for _ in range(8):
        shop.store.sweep(interval_ms=5000)
        shop.move_to(shop.now() + timedelta(seconds=5))


def test_wa_15_a_worker_killed_during_the_call_sends_nothing_blindly(
    shop: Shop, stub: StubProcess
) -> None:
    job = die_during_the_call(shop, SEED)
    assert shop.message_of(job).status is MessageStatus.SENDING
    let_the_lease_end(shop)
    assert shop.job(job).stalls == 1
    shop.run_until(START + timedelta(seconds=100))
    row = shop.message_of(job)
    assert (row.status, row.attempts) == (MessageStatus.AMBIGUOUS, 1)
    assert len(stub.calls()) == 1
    shop.run_for(300)
    assert call_times(shop, stub) == [0, 120]
    assert shop.message_of(job).status is MessageStatus.ACCEPTED


def test_wa_15_at_most_once_is_never_sent_twice(shop: Shop, stub: StubProcess) -> None:
    job = die_during_the_call(shop, SEED | {"delivery": "at_most_once"})
    let_the_lease_end(shop)
    shop.run_for(3600)
    assert len(stub.calls()) == 1
    assert "ambiguous" in failure(shop, job)


def test_a_death_after_the_record_buries_without_another_call(
    shop: Shop, stub: StubProcess
) -> None:
    stub.script(status=400, code=100)
    job = shop.send(SEED)
    queue = QueueClaim("whatsapp-message-send", ("whatsapp-message-send",), 1)
    claim = Claim(id="dead-worker", owner="dead", queues=(queue,), slots=1)
    shop.store.exchange((), claim)
    run = JobRun(job_id=job, started_at=shop.now(), attempt=1)
    with pytest.raises(Exception, match="100"):
        shop.sender.run(WhatsAppMessageSend.model_validate(SEED), run)
    let_the_lease_end(shop)
    shop.run_for(10)
    assert "100" in failure(shop, job)
    assert len(stub.calls()) == 1


# -- secrets ---------------------------------------------------------------------------


def test_the_token_is_in_no_log_and_no_record(
    shop: Shop, stub: StubProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    stub.configure(token="another")
    job = shop.say()
    shop.run_for(90)
    assert TOKEN not in caplog.text
    assert TOKEN not in failure(shop, job)
    assert TOKEN not in repr(shop.transport)
