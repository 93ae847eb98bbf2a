"""What is sent to the Redis scripts."""

import msgspec
import pytest

from tests.contract.builders import new
from workflows.engine.states import JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import Complete
from workflows.stores.redis.job_messages import pack_job
from workflows.stores.redis.messages import pack_settlement
from workflows.stores.redis.records import make_cursor, read_cursor
from workflows.stores.redis.wire import raw


@pytest.mark.parametrize("size", [0, 31, 32, 255, 256, 65_535, 65_536])
def test_bytes_travel_as_a_msgpack_string_of_any_size(size: int) -> None:
    encoded = msgspec.msgpack.encode(raw(b"x" * size))
    assert msgspec.msgpack.decode(encoded) == "x" * size


def test_any_bytes_may_be_in_such_a_string() -> None:
    encoded = msgspec.msgpack.encode(raw(b"\x00\xff\xc1"))
    assert encoded == b"\xa3\x00\xff\xc1"


def test_what_is_a_default_is_not_sent() -> None:
    packed = pack_job(new("a"))
    assert packed[4:6] == (None, None)  # headers, priority
    assert packed[9:] == (None, None, None)  # max_stalls, dedup, trace


def test_a_settlement_names_its_kind_job_and_token_first() -> None:
    packed = pack_settlement(Complete(job_id="a", token="t"))
    assert packed == ("complete", "a", "t", None, None, None, None, None, False)


def test_a_cursor_holds_where_its_list_goes_on() -> None:
    cursor = make_cursor(JobState.WAITING, b"0.30000000000000004", b"0001a b")
    score, member = read_cursor(cursor, JobState.WAITING)
    assert score == 0.30000000000000004
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(member)) == "0001a b"
    with pytest.raises(InvalidArgumentError):
        read_cursor(cursor, JobState.DELAYED)
