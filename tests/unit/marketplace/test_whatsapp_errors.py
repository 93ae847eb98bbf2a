"""Each error code has one meaning, whatever the HTTP status around it."""

from datetime import timedelta

import pytest

from workflows.marketplace.whatsapp_errors import Act, SendFailure, classify

CASES = [
    (Act.RETRY, [1, 2, 4, 80007, 130429, 131000, 131016, 131056, 131057, 133004]),
    (Act.DEAD, [100, 131008, 131009, 131021, 131030, 131049, 131051, 131052, 131053]),
    (
        Act.DEAD,
        [131062, 131063, 130472, 130497, 135000, 137000, 132000, 132015, 132069],
    ),
    (Act.RECIPIENT, [131026, 131050]),
    (Act.TEMPLATE, [131047]),
    (Act.CHANNEL, [0, 3, 10, 33, 190, 200, 299, 368, 131005, 131031, 131037, 131042]),
    (Act.CHANNEL, [131045, 131048, 131064, 133010, 133016]),
]


@pytest.mark.parametrize("status", [400, 429, 500])
@pytest.mark.parametrize(
    ("act", "code"), [(act, code) for act, codes in CASES for code in codes]
)
def test_the_code_decides_not_the_status(act: Act, code: int, status: int) -> None:
    assert classify(SendFailure(http_status=status, code=code)).act is act


@pytest.mark.parametrize(
    ("status", "act"),
    [
        (0, Act.RETRY),
        (429, Act.RETRY),
        (500, Act.RETRY),
        (503, Act.RETRY),
        (502, Act.AMBIGUOUS),
        (504, Act.AMBIGUOUS),
        (401, Act.CHANNEL),
        (403, Act.CHANNEL),
        (400, Act.DEAD),
        (404, Act.DEAD),
        (302, Act.DEAD),
    ],
)
def test_without_a_code_the_status_decides(status: int, act: Act) -> None:
    assert classify(SendFailure(http_status=status)).act is act


def test_an_unknown_code_is_judged_by_its_status() -> None:
    assert classify(SendFailure(http_status=400, code=999_999)).act is Act.DEAD
    assert classify(SendFailure(http_status=500, code=999_999)).act is Act.RETRY
    assert classify(SendFailure(http_status=502, code=999_999)).act is Act.RETRY


def test_what_may_have_been_sent_is_ambiguous() -> None:
    assert classify(SendFailure(http_status=0, ambiguous=True)).act is Act.AMBIGUOUS


@pytest.mark.parametrize(
    ("code", "seconds"),
    [(131056, 6), (130429, 1), (4, 60), (80007, 60), (131057, 60), (131016, 0)],
)
def test_throttling_has_a_floor(code: int, seconds: int) -> None:
    rule = classify(SendFailure(http_status=400, code=code))
    assert rule.floor == timedelta(seconds=seconds)


def test_a_failure_has_a_short_name() -> None:
    assert SendFailure(http_status=400, code=0).name == "0"
    assert SendFailure(http_status=502).name == "http_502"
    assert SendFailure(http_status=0).name == "network"
