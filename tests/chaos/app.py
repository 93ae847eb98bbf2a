"""What the consumers of the harness run, and what its producers enqueue."""

import os
import random
import secrets
import signal
import time
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from tests.chaos import sabotage
from tests.chaos.ledger import RUNS, Ledger
from workflows.exceptions import NonRetryableError
from workflows.huey import WorkflowHuey

Kind = Literal["good", "flaky", "broken", "refused", "poison"]

folder = Path(os.environ["CHAOS_FOLDER"])
generation = int(os.environ.get("CHAOS_GENERATION", "0"))
runs = Ledger(folder / RUNS)
huey = WorkflowHuey(
    "chaos",
    url=os.environ["CHAOS_URL"],
    lease=float(os.environ.get("CHAOS_LEASE", "2")),
    sweep_interval=float(os.environ.get("CHAOS_SWEEP", "0.5")),
)
sabotage.apply(huey)


class Work(BaseModel):
    """One job: who it is, what becomes of it, how long it takes."""

    job: str
    kind: Kind = "good"
    ms: int = 5


@huey.job(
    name="work",
    queue="work",
    payload=Work,
    retry={"attempts": 3, "backoff": {"type": "fixed", "delay": 50}},
    max_stalls=3,
)
def work(payload: Work) -> str:
    """Run one job, leaving its traces in the ledger; return which run this was."""
    run = secrets.token_hex(8)

    def note(event: str) -> None:
        runs.add(e=event, id=payload.job, gen=generation, pid=os.getpid(), run=run)

    note("start")
    time.sleep(payload.ms / 1000)
    if payload.kind == "poison":
        note("death")
        random.choice([_vanish, _kill_self])()
    if payload.kind == "refused":
        note("fail")
        raise NonRetryableError("refused for good")
    if payload.kind == "broken" or (payload.kind == "flaky" and not _failed(payload)):
        note("fail")
        _marker(payload).touch()  # after the line: a kill in between fails it twice
        raise OSError("does not work")
    note("effect")
    return run


def _vanish() -> None:
    os._exit(9)


def _kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _failed(payload: Work) -> bool:
    """Whether this job failed before, in whatever process."""
    return _marker(payload).exists()


def _marker(payload: Work) -> Path:
    return folder / "flaky" / payload.job
