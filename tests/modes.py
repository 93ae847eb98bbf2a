"""The ways a worker can work, for the whole suite: `make modes`.

TEST_MODE names what is switched off in every worker of the test process, whatever a
test asks for: `uncached` (no run is kept between tasks), `apart` (no activity runs
inline), or both as `uncached+apart`. Results must be the same; only what counts writes
or replays cannot be asked then (`as_shipped`).
"""

import os
from dataclasses import replace
from typing import Any

import pytest

from workflows.runtime import registration
from workflows.runtime.run_cache import RunCache
from workflows.runtime.workflow_worker import WorkerOptions, WorkflowWorker
from workflows.store import Store

VARIABLE = "TEST_MODE"
MODES = {"uncached", "apart"}
CHOSEN = frozenset(filter(None, os.environ.get(VARIABLE, "").split("+")))

as_shipped = pytest.mark.skipif(
    bool(CHOSEN), reason=f"counts what {VARIABLE} switches off"
)


def apply() -> None:
    """Switch off what is chosen. Raises UsageError for a word that is none."""
    strange = CHOSEN - MODES
    if strange:
        msg = f"{VARIABLE}: {sorted(strange)} are none of {sorted(MODES)}"
        raise pytest.UsageError(msg)
    made: Any = registration
    if "uncached" in CHOSEN:
        made.RunCache = _uncached
    if "apart" in CHOSEN:
        made.WorkflowWorker = _apart


def _uncached(_size: int) -> RunCache:
    return RunCache(0)


def _apart(store: Store, options: WorkerOptions, **parts: Any) -> WorkflowWorker:
    return WorkflowWorker(store, replace(options, inline=False), **parts)
