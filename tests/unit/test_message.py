"""What a call of a job says before anything is written."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from workflows.exceptions import PayloadError
from workflows.huey import WorkflowHuey


class Email(BaseModel):
    to: str
    text: str


def send(email: Email) -> None: ...


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [(("ann", "Hello"), {}), (({"to": "ann"},), {"text": "Hello"})],
)
def test_a_call_with_more_than_the_payload_says_what_a_call_may_hold(
    args: tuple[Any, ...], kwargs: dict[str, Any], tmp_path: Path
) -> None:
    huey = WorkflowHuey("mail", url=f"sqlite:///{tmp_path}/mail.db")
    job = huey.job(queue="emails", payload=Email)(send)
    with pytest.raises(PayloadError, match="send takes one payload: a model, a dict"):
        job(*args, **kwargs)
    assert not (tmp_path / "mail.db").exists()
