"""The states of a job, and why one dies."""

import pytest

from workflows.engine.states import LIVE, PENDING, TERMINAL, DeadReason, JobState

pytestmark = pytest.mark.unit


def test_a_job_is_live_or_terminal_and_never_both() -> None:
    assert set(JobState) == LIVE | TERMINAL
    assert not LIVE & TERMINAL


def test_what_is_pending_is_live_and_not_leased() -> None:
    assert LIVE - {JobState.ACTIVE} == PENDING


def test_the_names_are_those_that_the_api_shows() -> None:
    assert [str(state) for state in JobState] == [
        "waiting",
        "delayed",
        "active",
        "completed",
        "failed",
        "cancelled",
        "expired",
    ]
    assert [str(reason) for reason in DeadReason] == [
        "exhausted",
        "non_retryable",
        "timeout",
        "stalled",
        "undecodable",
        "unknown_type",
        "manual",
    ]
