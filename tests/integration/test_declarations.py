"""What a job type and a call may not say, and that they hear so at once."""

from typing import Any

import pytest
from huey.exceptions import ConfigurationError
from pydantic import BaseModel

from tests.conftest import MakeStore
from workflows.exceptions import InvalidArgumentError
from workflows.huey import WorkflowHuey


class Note(BaseModel):
    text: str = "a"


@pytest.fixture
def huey(make_store: MakeStore) -> WorkflowHuey:
    return WorkflowHuey("said", store=make_store("sqlite"))


@pytest.mark.parametrize(
    "setting",
    [
        {"queue": ""},
        {"queue": None},
        {"queue": "a/b"},
        {"queue": "a b"},
        {"max_stalls": -1},
        {"max_stalls": "3"},
        {"limiter": 5},
        {"payload": dict},
        {"payload": None},
    ],
)
def test_a_setting_that_means_nothing_is_refused_where_it_is_declared(
    huey: WorkflowHuey, setting: dict[str, Any]
) -> None:
    options: dict[str, Any] = {"queue": "notes", "payload": Note, **setting}
    with pytest.raises((InvalidArgumentError, ConfigurationError)):
        huey.job(**options)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e18, "soon"])
@pytest.mark.parametrize("option", ["delay", "expires"])
def test_a_span_that_means_nothing_is_refused_where_the_job_is_added(
    huey: WorkflowHuey, option: str, value: object
) -> None:
    note = huey.job(queue="notes", payload=Note)(lambda _note: None)
    options: dict[str, Any] = {option: value}
    with pytest.raises(InvalidArgumentError, match="seconds"):
        note.enqueue(Note(), **options)
    assert huey.store.get_queue("notes") is None
