"""What is kept of an exception is bounded, printable, and read back as it was."""

import json
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.engine.failure import (
    MAX_CAUSES,
    MAX_MESSAGE,
    MAX_STACK,
    Failure,
    failure_of,
)
from workflows.exceptions import NonRetryableError, PayloadError

pytestmark = pytest.mark.unit


def caught(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as raised:  # noqa: BLE001
        return raised


def lines(failure: Failure) -> list[Failure]:
    found = [failure]
    while found[-1].cause is not None:
        found.append(found[-1].cause)
    return found


def test_type_message_and_stack_are_kept() -> None:
    failure = failure_of(caught(ValueError("no such order")))
    assert failure.type == "ValueError"
    assert failure.message == "no such order"
    assert "in caught" in failure.stack_trace
    assert "raise error from cause" in failure.stack_trace
    assert failure.cause is None


def test_only_a_non_retryable_error_is_marked_so() -> None:
    assert failure_of(NonRetryableError()).non_retryable
    assert not failure_of(ValueError()).non_retryable


def test_the_cause_is_kept() -> None:
    failure = failure_of(caught(ValueError("outer"), KeyError("inner")))
    assert [part.type for part in lines(failure)] == ["ValueError", "KeyError"]


def test_what_was_being_handled_is_kept_unless_suppressed() -> None:
    def fail(*, hide: bool) -> BaseException:
        try:
            try:
                raise KeyError("inner")
            except KeyError:
                if hide:
                    raise ValueError("outer") from None
                raise ValueError("outer")  # noqa: B904 - the point of the test
        except ValueError as raised:
            return raised

    assert len(lines(failure_of(fail(hide=False)))) == 2
    assert len(lines(failure_of(fail(hide=True)))) == 1


def test_a_chain_of_a_thousand_causes_is_capped() -> None:
    error = ValueError("0")
    for number in range(1, 1000):
        outer = ValueError(str(number))
        outer.__cause__ = error
        error = outer
    assert len(lines(failure_of(error))) == MAX_CAUSES + 1


def test_a_chain_that_bites_its_tail_ends() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert [part.message for part in lines(failure_of(one))] == ["one", "two"]


class UnprintableError(Exception):
    def __str__(self) -> NoReturn:
        raise RuntimeError("not even this")


def test_an_error_whose_str_raises_is_named_all_the_same() -> None:
    failure = failure_of(UnprintableError())
    assert failure.type == "UnprintableError"
    assert failure.message == "[str() of it raised RuntimeError]"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("two\nlines\ttab", "two\nlines\ttab"),
        ("bell\x07 nul\x00 del\x7f csi\x9b", "bell\\x07 nul\\x00 del\\x7f csi\\x9b"),
        ("return\r", "return\\x0d"),
        ("half \ud800 pair", "half \\ud800 pair"),
        ("right \u202e left", "right \\u202e left"),
        ("line\u2028end", "line\\u2028end"),
        ("नमस्ते 🙏", "नमस्ते 🙏"),
    ],
)
def test_what_a_terminal_would_obey_is_spelled_out(text: str, kept: str) -> None:
    assert failure_of(ValueError(text)).message == kept


def test_notes_are_kept_with_the_stack() -> None:
    error = ValueError("x")
    error.add_note("while sending to order 7")
    assert "while sending to order 7" in failure_of(error).stack_trace


def test_odd_notes_do_no_harm() -> None:
    error = ValueError("x")
    error.__notes__ = 5  # type: ignore[assignment]
    assert failure_of(error).message == "x"


def test_the_members_of_a_group_are_listed() -> None:
    group = ExceptionGroup("two failed", [ValueError("a"), KeyError("b")])
    stack = failure_of(caught(group)).stack_trace
    assert "ValueError: a" in stack
    assert "KeyError: 'b'" in stack


def test_a_long_message_is_cut_at_its_end() -> None:
    failure = failure_of(ValueError("start" + "x" * 10_000_000))
    assert failure.message.startswith("start")
    assert failure.message.endswith("[…]")
    assert len(failure.message.encode()) <= MAX_MESSAGE


def recurse(depth: int) -> NoReturn:
    if depth:
        exec(f"{'x' * 500} = 1; recurse(depth - 1)")  # long source, no real line
    raise ValueError("deep")


def test_a_deep_stack_keeps_its_innermost_frames() -> None:
    with pytest.raises(ValueError, match="deep") as raised:
        recurse(200)
    stack = failure_of(raised.value).stack_trace
    assert "raise ValueError" in stack
    assert len(stack.encode()) <= MAX_STACK


@given(st.text(st.characters(), max_size=20), st.integers(1, 3000))
def test_any_failure_is_bounded_and_read_back_as_it_was(text: str, times: int) -> None:
    error = caught(ValueError(text * times), KeyError(text * times))
    error.add_note(text * times)
    failure = failure_of(error)
    for part, share in zip(lines(failure), (1, 4), strict=True):
        assert len(part.message.encode()) <= MAX_MESSAGE // share
        assert len(part.stack_trace.encode()) <= MAX_STACK // share
    assert Failure.from_json(failure.to_json()) == failure


def test_the_json_has_camel_case_keys() -> None:
    data = json.loads(failure_of(ValueError("x")).to_json())
    assert data == {
        "type": "ValueError",
        "message": "x",
        "stackTrace": "",
        "nonRetryable": False,
        "cause": None,
    }


def test_unknown_keys_of_a_newer_version_are_ignored() -> None:
    assert Failure.from_json(b'{"type":"E","later":1}') == Failure(type="E")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"type":1}',
        b'{"type":"\xff"}',
        b'{"type":"\\ud800"}',
        b'{"type":"a","cause":' * 100_000,
    ],
)
def test_what_is_not_a_failure_is_refused(data: bytes) -> None:
    with pytest.raises(PayloadError, match="not a failure"):
        Failure.from_json(data)
