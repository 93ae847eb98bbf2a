"""Switches a protection off in the consumers, to prove that the checker can fail."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from unittest import mock

from workflows.huey import WorkflowHuey
from workflows.store import Settlement

_LUA_FENCE = "if job.state ~= 'active' or job.token ~= token then"
_LUA_NO_FENCE = "if job.state ~= 'active' then"


def apply(huey: WorkflowHuey) -> None:
    """Do what CHAOS_SABOTAGE says: nothing, `fence` or `sweep`."""
    mode = os.environ.get("CHAOS_SABOTAGE", "")
    if mode == "sweep":
        _without_sweep(huey)
    elif mode == "fence" and os.environ["CHAOS_URL"].startswith("sqlite:"):
        _without_sqlite_fence()
    elif mode == "fence":
        _without_redis_fence()


def _without_sweep(huey: WorkflowHuey) -> None:
    """Never take a lease back."""
    mock.patch.object(type(huey.store), "sweep", return_value=[]).start()


def _without_sqlite_fence() -> None:
    """Let every settlement bear the token that its job has now."""
    from workflows.stores.sqlite.settling import Settling  # noqa: PLC0415

    made = Settling.__init__

    def init(self: Settling, tx: Any, settlements: Sequence[Settlement]) -> None:
        tokens = dict(tx.execute("SELECT id, token FROM jobs WHERE state = 'active'"))
        forged = [
            replace(each, token=tokens.get(each.job_id, each.token))
            for each in settlements
        ]
        made(self, tx, forged)

    mock.patch.object(Settling, "__init__", init).start()


def _without_redis_fence() -> None:
    """Let the script of `exchange` not look at the token."""
    from workflows.stores.redis import scripts  # noqa: PLC0415

    read = scripts.source

    def source(name: str) -> tuple[str, str]:
        text, digest = read(name)
        if name == "exchange":
            assert _LUA_FENCE in text, "the fence is written in another way now"
            text = text.replace(_LUA_FENCE, _LUA_NO_FENCE)
            digest = hashlib.sha1(text.encode()).hexdigest()
        return text, digest

    mock.patch.object(scripts, "source", source).start()
